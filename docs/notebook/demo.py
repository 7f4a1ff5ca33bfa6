"""The demonstration as a marimo notebook: ``marimo edit docs/notebook/demo.py``; as a script it runs too."""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo

    import apastats as apa

    return apa, mo


@app.cell
def _(mo):
    mo.md(
        """
        # Which models are as good as the best?

        A simulated study in which the first two models are equal, and the best everywhere. Move the margin and
        see what it decides.
        """
    )
    return


@app.cell
def _(apa):
    study = apa.simulate(n_subject=10, n_model=4, n_tied=2, rois=["V1", "V3", "V4", "MT"], rng=1)
    best = apa.select_layer(study.scores)
    ceiling = apa.noise_ceiling(study.scores)
    return best, ceiling


@app.cell
def _(mo):
    margin = mo.ui.slider(0.005, 0.1, step=0.005, value=0.03, label="margin")
    margin
    return (margin,)


@app.cell
def _(apa, best, margin):
    tests = apa.equivalence("score ~ model | roi", best, bounds=margin.value)
    tests.tidy()[["roi", "contrast", "estimate", "conf_low", "conf_high", "decision"]]
    return (tests,)


@app.cell
def _(ceiling, mo, tests):
    mo.md(tests.text() + "\n\n" + ceiling.text())
    return


if __name__ == "__main__":
    app.run()
