"""The works that methods of this package come from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["WORKS", "Reference"]


@dataclass(frozen=True)
class Reference:
    """One work.

    Attributes
    ----------
    key : str
        BibTeX key.
    kind : str
        BibTeX entry type.
    authors : tuple of str
        ``"Family, Given"``.
    year : int
    title : str
    fields : dict
        Other BibTeX fields.
    """

    key: str
    kind: str
    authors: tuple[str, ...]
    year: int
    title: str
    fields: dict[str, str] = field(default_factory=dict)

    def short(self) -> str:
        """``Nili et al., 2014``."""
        families = [a.split(",")[0] for a in self.authors]
        if len(families) == 1:
            who = families[0]
        elif len(families) == 2:
            who = f"{families[0]} & {families[1]}"
        else:
            who = f"{families[0]} et al."
        return f"{who}, {self.year}"

    def full(self) -> str:
        """Entry of a reference list, plain text."""
        names = [_initials(a) for a in self.authors]
        if names[-1] == "others":
            who = ", ".join(names[:-1]) + ", et al."
        else:
            who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, & {names[-1]}"
        f = self.fields
        where = f.get("journal") or f.get("booktitle") or f.get("publisher") or f.get("note", "")
        if "volume" in f:
            where += f", {f['volume']}" + (f"({f['number']})" if "number" in f else "")
        if "pages" in f:
            where += ", " + f["pages"].replace("--", "\u2013")
        doi = f" https://doi.org/{f['doi']}" if "doi" in f else f" {f['url']}" if "url" in f else ""
        return f"{who} ({self.year}). {self.title.rstrip('.')}. {where}.{doi}"

    def bibtex(self) -> str:
        """BibTeX entry, ASCII."""
        rows = [
            ("author", " and ".join(self.authors)),
            ("title", f"{{{self.title}}}"),
            *self.fields.items(),
        ]
        body = [f"  {k} = {{{_ascii(v)}}}," for k, v in rows]
        return "\n".join([f"@{self.kind}{{{self.key},", *body, f"  year = {{{self.year}}}", "}"])


_ACCENTS = {
    "\u00e4": '{\\"a}',
    "\u00f6": '{\\"o}',
    "\u00fc": '{\\"u}',
    "\u00eb": '{\\"e}',
    "\u00e1": "{\\'a}",
    "\u00e9": "{\\'e}",
    "\u0160": "{\\v S}",
    "\u011b": "{\\v e}",
    "\u2013": "--",
}


def _ascii(text: str) -> str:
    for c, tex in _ACCENTS.items():
        text = text.replace(c, tex)
    return text.replace("&", r"\&")


def _initials(author: str) -> str:
    family, _, given = author.partition(", ")
    if not given:
        return family
    letters = [f"{g[0]}." for g in re.split(r"[ -]", given) if g]
    return f"{family}, {' '.join(letters)}"


def _article(key: str, authors: str, year: int, title: str, journal: str, **more: str) -> Reference:
    return Reference(
        key, "article", tuple(authors.split("; ")), year, title, {"journal": journal, **more}
    )


def _book(key: str, authors: str, year: int, title: str, publisher: str) -> Reference:
    return Reference(key, "book", tuple(authors.split("; ")), year, title, {"publisher": publisher})


_JASA = "Journal of the American Statistical Association"
_JRSSB = "Journal of the Royal Statistical Society: Series B"
_JSS = "Journal of Statistical Software"
_JPB = "Journal of Pharmacokinetics and Biopharmaceutics"

_WORKS = (
    _article(
        "schuirmann1987",
        "Schuirmann, Donald J.",
        1987,
        "A comparison of the two one-sided tests procedure and the power approach for assessing the equivalence of "
        "average bioavailability",
        _JPB,
        volume="15",
        number="6",
        pages="657--680",
        doi="10.1007/BF01068419",
    ),
    _article(
        "lakens2017",
        "Lakens, Dani\u00ebl",
        2017,
        "Equivalence tests: A practical primer for t tests, correlations, and meta-analyses",
        "Social Psychological and Personality Science",
        volume="8",
        number="4",
        pages="355--362",
        doi="10.1177/1948550617697177",
    ),
    _article(
        "holm1979",
        "Holm, Sture",
        1979,
        "A simple sequentially rejective multiple test procedure",
        "Scandinavian Journal of Statistics",
        volume="6",
        number="2",
        pages="65--70",
    ),
    _article(
        "dunn1961",
        "Dunn, Olive Jean",
        1961,
        "Multiple comparisons among means",
        _JASA,
        volume="56",
        number="293",
        pages="52--64",
        doi="10.1080/01621459.1961.10482090",
    ),
    _article(
        "sidak1967",
        "\u0160id\u00e1k, Zbyn\u011bk",
        1967,
        "Rectangular confidence regions for the means of multivariate normal distributions",
        _JASA,
        volume="62",
        number="318",
        pages="626--633",
        doi="10.1080/01621459.1967.10482935",
    ),
    _article(
        "hochberg1988",
        "Hochberg, Yosef",
        1988,
        "A sharper Bonferroni procedure for multiple tests of significance",
        "Biometrika",
        volume="75",
        number="4",
        pages="800--802",
        doi="10.1093/biomet/75.4.800",
    ),
    _article(
        "hommel1988",
        "Hommel, Gerhard",
        1988,
        "A stagewise rejective multiple test procedure based on a modified Bonferroni test",
        "Biometrika",
        volume="75",
        number="2",
        pages="383--386",
        doi="10.1093/biomet/75.2.383",
    ),
    _article(
        "benjamini1995",
        "Benjamini, Yoav; Hochberg, Yosef",
        1995,
        "Controlling the false discovery rate: A practical and powerful approach to multiple testing",
        _JRSSB,
        volume="57",
        number="1",
        pages="289--300",
        doi="10.1111/j.2517-6161.1995.tb02031.x",
    ),
    _article(
        "benjamini2001",
        "Benjamini, Yoav; Yekutieli, Daniel",
        2001,
        "The control of the false discovery rate in multiple testing under dependency",
        "The Annals of Statistics",
        volume="29",
        number="4",
        pages="1165--1188",
        doi="10.1214/aos/1013699998",
    ),
    _article(
        "romano2005",
        "Romano, Joseph P.; Wolf, Michael",
        2005,
        "Exact and approximate stepdown methods for multiple hypothesis testing",
        _JASA,
        volume="100",
        number="469",
        pages="94--108",
        doi="10.1198/016214504000000539",
    ),
    _book(
        "westfall1993",
        "Westfall, Peter H.; Young, S. Stanley",
        1993,
        "Resampling-based multiple testing: Examples and methods for p-value adjustment",
        "Wiley",
    ),
    _article(
        "nili2014",
        "Nili, Hamed; Wingfield, Cai; Walther, Alexander; Su, Li; Marslen-Wilson, William; Kriegeskorte, Nikolaus",
        2014,
        "A toolbox for representational similarity analysis",
        "PLoS Computational Biology",
        volume="10",
        number="4",
        pages="e1003553",
        doi="10.1371/journal.pcbi.1003553",
    ),
    _article(
        "kriegeskorte2008",
        "Kriegeskorte, Nikolaus; Mur, Marieke; Bandettini, Peter",
        2008,
        "Representational similarity analysis \u2013 connecting the branches of systems neuroscience",
        "Frontiers in Systems Neuroscience",
        volume="2",
        pages="4",
        doi="10.3389/neuro.06.004.2008",
    ),
    Reference(
        "hoefling2026",
        "inproceedings",
        ("Hoefling", "Tangemann", "Piefke", "Keller", "Bethge", "Franke"),
        2026,
        "Only brains align with brains: Cross-region alignment patterns expose limits of normative models",
        {
            "booktitle": "International Conference on Learning Representations",
            "url": "https://arxiv.org/abs/2604.21780",
        },
    ),
    _book(
        "davison1997",
        "Davison, Anthony C.; Hinkley, David V.",
        1997,
        "Bootstrap methods and their application",
        "Cambridge University Press",
    ),
    _article(
        "efron1987",
        "Efron, Bradley",
        1987,
        "Better bootstrap confidence intervals",
        _JASA,
        volume="82",
        number="397",
        pages="171--185",
        doi="10.1080/01621459.1987.10478410",
    ),
    _article(
        "fisher1991",
        "Fisher, Nicholas I.; Hall, Peter",
        1991,
        "Bootstrap algorithms for small samples",
        "Journal of Statistical Planning and Inference",
        volume="27",
        number="2",
        pages="157--169",
        doi="10.1016/0378-3758(91)90013-5",
    ),
    _article(
        "rubin1981",
        "Rubin, Donald B.",
        1981,
        "The Bayesian bootstrap",
        "The Annals of Statistics",
        volume="9",
        number="1",
        pages="130--134",
        doi="10.1214/aos/1176345338",
    ),
    _article(
        "fieller1954",
        "Fieller, Edgar C.",
        1954,
        "Some problems in interval estimation",
        _JRSSB,
        volume="16",
        number="2",
        pages="175--185",
        doi="10.1111/j.2517-6161.1954.tb00159.x",
    ),
    _article(
        "phipson2010",
        "Phipson, Belinda; Smyth, Gordon K.",
        2010,
        "Permutation p-values should never be zero: Calculating exact p-values when permutations are randomly drawn",
        "Statistical Applications in Genetics and Molecular Biology",
        volume="9",
        number="1",
        pages="39",
        doi="10.2202/1544-6115.1585",
    ),
    _article(
        "hsu1984",
        "Hsu, Jason C.",
        1984,
        "Constrained simultaneous confidence intervals for multiple comparisons with the best",
        "The Annals of Statistics",
        volume="12",
        number="3",
        pages="1136--1144",
        doi="10.1214/aos/1176346732",
    ),
    _article(
        "hansen2011",
        "Hansen, Peter R.; Lunde, Asger; Nason, James M.",
        2011,
        "The model confidence set",
        "Econometrica",
        volume="79",
        number="2",
        pages="453--497",
        doi="10.3982/ECTA5771",
    ),
    _article(
        "mogstad2024",
        "Mogstad, Magne; Romano, Joseph P.; Shaikh, Azeem M.; Wilhelm, Daniel",
        2024,
        "Inference for ranks with applications to mobility across neighbourhoods and academic achievement across "
        "countries",
        "The Review of Economic Studies",
        volume="91",
        number="1",
        pages="476--518",
        doi="10.1093/restud/rdad006",
    ),
    _article(
        "piepho2004",
        "Piepho, Hans-Peter",
        2004,
        "An algorithm for a letter-based representation of all-pairwise comparisons",
        "Journal of Computational and Graphical Statistics",
        volume="13",
        number="2",
        pages="456--466",
        doi="10.1198/1061860043515",
    ),
    _article(
        "spearman1904",
        "Spearman, Charles",
        1904,
        "The proof and measurement of association between two things",
        "The American Journal of Psychology",
        volume="15",
        number="1",
        pages="72--101",
        doi="10.2307/1412159",
    ),
    _article(
        "patterson1971",
        "Patterson, H. Desmond; Thompson, Robin",
        1971,
        "Recovery of inter-block information when block sizes are unequal",
        "Biometrika",
        volume="58",
        number="3",
        pages="545--554",
        doi="10.1093/biomet/58.3.545",
    ),
    _article(
        "bates2015",
        "Bates, Douglas; M\u00e4chler, Martin; Bolker, Ben; Walker, Steve",
        2015,
        "Fitting linear mixed-effects models using lme4",
        _JSS,
        volume="67",
        number="1",
        pages="1--48",
        doi="10.18637/jss.v067.i01",
    ),
    _article(
        "giesbrecht1985",
        "Giesbrecht, Francis G.; Burns, Joseph C.",
        1985,
        "Two-stage analysis based on a mixed model: Large-sample asymptotic theory and small-sample simulation results",
        "Biometrics",
        volume="41",
        number="2",
        pages="477--486",
        doi="10.2307/2530872",
    ),
    _article(
        "kuznetsova2017",
        "Kuznetsova, Alexandra; Brockhoff, Per B.; Christensen, Rune H. B.",
        2017,
        "lmerTest package: Tests in linear mixed effects models",
        _JSS,
        volume="82",
        number="13",
        pages="1--26",
        doi="10.18637/jss.v082.i13",
    ),
    _article(
        "kenward1997",
        "Kenward, Michael G.; Roger, James H.",
        1997,
        "Small sample inference for fixed effects from restricted maximum likelihood",
        "Biometrics",
        volume="53",
        number="3",
        pages="983--997",
        doi="10.2307/2533558",
    ),
    _article(
        "searle1980",
        "Searle, Shayle R.; Speed, F. Michael; Milliken, George A.",
        1980,
        "Population marginal means in the linear model: An alternative to least squares means",
        "The American Statistician",
        volume="34",
        number="4",
        pages="216--221",
        doi="10.1080/00031305.1980.10483031",
    ),
    _article(
        "kruschke2018",
        "Kruschke, John K.",
        2018,
        "Rejecting or accepting parameter values in Bayesian estimation",
        "Advances in Methods and Practices in Psychological Science",
        volume="1",
        number="2",
        pages="270--280",
        doi="10.1177/2515245918771304",
    ),
    _article(
        "vehtari2021",
        "Vehtari, Aki; Gelman, Andrew; Simpson, Daniel; Carpenter, Bob; B\u00fcrkner, Paul-Christian",
        2021,
        "Rank-normalization, folding, and localization: An improved R-hat for assessing convergence of MCMC",
        "Bayesian Analysis",
        volume="16",
        number="2",
        pages="667--718",
        doi="10.1214/20-BA1221",
    ),
    _article(
        "capretto2022",
        "Capretto, Tom\u00e1s; Piho, Camen; Kumar, Ravin; Westfall, Jacob; Yarkoni, Tal; Martin, Osvaldo A.",
        2022,
        "Bambi: A simple interface for fitting Bayesian linear models in Python",
        _JSS,
        volume="103",
        number="15",
        pages="1--29",
        doi="10.18637/jss.v103.i15",
    ),
    _article(
        "phillips1990",
        "Phillips, Kem F.",
        1990,
        "Power of the two one-sided tests procedure in bioequivalence",
        _JPB,
        volume="18",
        number="2",
        pages="137--144",
        doi="10.1007/BF01063556",
    ),
    _article(
        "harris2020",
        "Harris, Charles R.; Millman, K. Jarrod; van der Walt, Stéfan J.; others",
        2020,
        "Array programming with NumPy",
        "Nature",
        volume="585",
        pages="357--362",
        doi="10.1038/s41586-020-2649-2",
    ),
    _article(
        "virtanen2020",
        "Virtanen, Pauli; Gommers, Ralf; Oliphant, Travis E.; others",
        2020,
        "SciPy 1.0: Fundamental algorithms for scientific computing in Python",
        "Nature Methods",
        volume="17",
        pages="261--272",
        doi="10.1038/s41592-019-0686-2",
    ),
    Reference(
        "apastats",
        "misc",
        ("The apastats developers",),
        2026,
        "apastats: Statistics for brain-model alignment",
        {"note": "Python package"},
    ),
)
WORKS = {w.key: w for w in _WORKS}
