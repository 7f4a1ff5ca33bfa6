"""Tables as labs have them: read right, or refused with the way out."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ApaError, DataError, InputError, ReadError

SUBJECTS, ROIS, MODELS = [f"s{i}" for i in range(6)], ["V1", "V2", "V4"], ["clip", "resnet", "dino"]


def tidy(rng: int = 0, **columns: object) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([SUBJECTS, ROIS, MODELS], names=["subject", "roi", "model"])
    # nine decimals: Excel and JSON writers keep 15 or 16 digits
    scores = np.random.default_rng(rng).uniform(-0.2, 0.8, len(index)).round(9)
    return index.to_frame(index=False).assign(score=scores, **columns)


def spread() -> pd.DataFrame:
    return (
        tidy().pivot(index=["subject", "roi"], columns="model", values="score").reset_index().rename_axis(columns=None)
    )  # fmt: skip


def same(found: apa.ScoreTable, frame: pd.DataFrame) -> None:
    """Equal to the frame: the same rows under the same labels."""
    key = ["subject", "roi", "model"]
    a = found.frame.set_index(key)["score"].sort_index()
    b = frame.set_index(key)["score"].sort_index()
    assert a.index.tolist() == b.index.tolist()
    np.testing.assert_array_equal(a.to_numpy(), b.to_numpy(float))


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


# wide sheets: row numbers, ceilings and counts are no models


def test_the_index_of_a_wide_sheet_is_no_model(tmp_path: Path) -> None:
    spread().to_csv(tmp_path / "w.csv")
    table = apa.read(tmp_path / "w.csv", wide="model")
    assert sorted(table.levels("model")) == sorted(MODELS)
    same(table, tidy())


def test_ceilings_counts_and_ages_of_a_wide_sheet_are_no_models(tmp_path: Path) -> None:
    f = spread()
    f = f.assign(
        noise_ceiling=0.9, n_voxels=np.arange(len(f)) + 100, age=np.arange(len(f)) % 6 + 20.5
    )
    f.to_csv(tmp_path / "w.csv")
    table = apa.read(tmp_path / "w.csv", wide="model")
    same(table, tidy())
    assert set(table.covariates) == {"noise_ceiling", "n_voxels", "age"}
    assert (table.frame["noise_ceiling"] == 0.9).all()
    assert any("clip, dino, resnet" in line for line in table.log)


@pytest.mark.parametrize("column", ["wobbles", "clip_sem"])
def test_what_may_be_a_model_or_not_is_asked(column: str) -> None:
    f = spread().assign(**{column: np.arange(len(spread())) + (0.5 if "sem" in column else 0)})
    with pytest.raises(
        DataError, match=rf"{column}.*covariates=\['{column}'\].*ignore=\['{column}'\]"
    ):
        apa.read(f, wide="model")
    same(apa.read(f, wide="model", covariates=[column]), tidy())
    same(apa.read(f, wide="model", ignore=[column]), tidy())
    same(apa.read(f, wide={"model": MODELS}, covariates=[column]), tidy())
    named = apa.read(f, wide={"model": [*MODELS, column]})
    assert column in named.levels("model")


def test_subjects_as_columns() -> None:
    f = tidy().pivot(index=["model", "roi"], columns="subject", values="score").reset_index()
    same(apa.read(f, wide="subject"), tidy())


def test_missing_codes_in_a_wide_sheet(tmp_path: Path) -> None:
    f = spread().astype({"clip": object})
    f.loc[3, "clip"] = "n/a"
    f.to_csv(tmp_path / "w.csv", index=False)
    table = apa.read(tmp_path / "w.csv", wide="model")
    assert table.n_missing == 1
    assert len(table) == len(tidy())


# covariates with gaps


@pytest.mark.parametrize(
    "code", ["", "NA", "n/a", "NaN", "nan", "NAN", "null", "None", "#N/A", ".", "-"]
)
@pytest.mark.parametrize("column", ["score", "r", "age", "noise_ceiling", "duration"])
def test_one_list_of_codes_for_every_column_of_numbers(
    tmp_path: Path, code: str, column: str
) -> None:
    f = tidy(age=np.repeat(np.arange(6) + 20.5, 9), noise_ceiling=0.7, duration=1.5)
    f = f.rename(columns={"score": "r"}) if column == "r" else f
    text = f.astype(object)
    text.loc[[2, 5], column] = code
    text.to_csv(tmp_path / "t.csv", index=False)
    table = apa.read(tmp_path / "t.csv")
    expected = f[column].astype(float)
    expected[[2, 5]] = np.nan
    found = table.frame["score" if column == "r" else column]
    assert found.dtype == "float64"
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


def test_a_covariate_with_gaps_has_one_slope(tmp_path: Path) -> None:
    f = tidy(age=np.repeat(np.arange(6) + 20.0, 9))
    f.loc[::8, "age"] = np.nan
    f.to_csv(tmp_path / "t.csv", index=False, na_rep="n/a")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = apa.lmm("score ~ age + (1|subject)", apa.read(tmp_path / "t.csv"), missing="drop")
    assert fit.tidy()["term"].tolist() == ["(Intercept)", "age"]


# columns that are no part of the key


def test_an_index_does_not_hide_repeated_rows(tmp_path: Path) -> None:
    f = tidy()
    pd.concat([f, f[:5]]).to_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match="5 rows repeat the key"):
        apa.read(tmp_path / "t.csv")
    assert len(apa.read(tmp_path / "t.csv", on_duplicate="first")) == len(f)


BESIDE = {
    "Unnamed: 0": np.arange, "": np.arange, "index": np.arange, "p_value": lambda n: np.linspace(0, 1, n),
    "sem": lambda n: np.linspace(0.01, 0.02, n), "score_std": lambda n: np.linspace(0.01, 0.02, n),
    "ci_low": lambda n: np.linspace(-1, 0, n), "noise_ceiling": lambda n: np.linspace(0.5, 0.9, n),
    "n_voxels": np.arange, "count": np.arange, "age": lambda n: np.arange(n) / 2,
    "timestamp": lambda n: pd.date_range("2024-01-01", periods=n).astype(str),
    "date": lambda n: pd.date_range("2024-01-01", periods=n), "filename": lambda n: [f"f{i}.mat" for i in range(n)],
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("form", ["csv", "frame"])
def test_repeated_rows_are_found_whatever_else_the_data_hold(
    tmp_path: Path, name: str, form: str
) -> None:
    f = tidy()
    f = pd.concat([f, f[:3]], ignore_index=True)
    f.insert(0, name, BESIDE[name](len(f)))
    source: object = f
    if form == "csv":
        source = tmp_path / "t.csv"
        f.to_csv(source, index=False)
    with pytest.raises(DataError, match="3 rows repeat the key"):
        apa.read(source)
    if form == "csv":
        f[:54].to_csv(source, index=False)
    table = apa.read(source if form == "csv" else f[:54])
    same(table, tidy())
    assert table.levels("model") == MODELS


def test_unknown_numbers_ask_and_are_never_part_of_the_key() -> None:
    f = tidy(wobble=np.arange(54) / 7)
    with pytest.raises(DataError, match=r"'wobble'.*covariates=\['wobble'\].*ignore=\['wobble'\]"):
        apa.read(f)
    table = apa.read(f, covariates=["wobble"])
    np.testing.assert_array_equal(table.frame["wobble"], f["wobble"])
    assert "wobble" not in apa.read(f, ignore=["wobble"]).frame
    with pytest.raises(DataError, match="54 rows repeat the key"):
        apa.read(pd.concat([f, f.assign(wobble=f["wobble"] + 1)]), covariates=["wobble"])


def test_text_that_tells_rows_apart_is_asked_for(tmp_path: Path) -> None:
    f = pd.concat([tidy(0, condition="rest"), tidy(1, condition="task")])
    f.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"108 rows share.*\['condition'\].*keys=\['condition'\]"):
        apa.read(tmp_path / "t.csv")
    assert len(apa.read(tmp_path / "t.csv", keys=["condition"])) == 108
    one = apa.read(tidy(0, condition="rest"))
    assert one.covariates == ("condition",)


def test_the_same_kind_of_row_with_two_runs_is_told_apart_by_name() -> None:
    f = pd.concat([tidy(0, run=1), tidy(1, run=2)])
    assert len(apa.read(f)) == 108
    assert apa.read(f).levels("run") == ["1", "2"]


def test_a_trailing_comma(tmp_path: Path) -> None:
    lines = tidy().to_csv(index=False).splitlines()
    same(apa.read(write(tmp_path / "a.csv", "\n".join(f"{x}," for x in lines))), tidy())
    rows = [lines[0], *(f"{x}," for x in lines[1:])]
    same(apa.read(write(tmp_path / "b.csv", "\n".join(rows))), tidy())


def test_row_names_as_r_writes_them(tmp_path: Path) -> None:
    lines = tidy().to_csv(index=False, sep=" ").splitlines()
    rows = [lines[0], *(f'"{i + 1}" {x}' for i, x in enumerate(lines[1:]))]
    same(apa.read(write(tmp_path / "t.txt", "\n".join(rows) + "\n")), tidy())


def test_a_doubled_column(tmp_path: Path) -> None:
    f = tidy()
    twice = pd.concat([f, f[["score"]]], axis=1)
    twice.to_csv(tmp_path / "t.csv", index=False)  # header: score, score
    same(apa.read(tmp_path / "t.csv"), f)
    f.assign(**{"score.1": f["score"]}).to_csv(tmp_path / "t.csv", index=False)
    same(apa.read(tmp_path / "t.csv"), f)
    f.assign(**{"score.1": f["score"] + 1}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"'score.1': doubles 'score' with other values; ignore="):
        apa.read(tmp_path / "t.csv")


# labels, to the letter


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ("subject", ["001", "002", "010"]),
        ("subject", ["007", "", "x"]),
        ("model", ["1e5", "100000", "1E5"]),
        ("layer", ["1.1", "1.10", "1.100"]),
        ("roi", ["TRUE", "true", "True"]),
        ("roi", ["NA", "nan", "null"]),
        ("subject", ["1.0", "1", "01"]),
        ("session", ["01", "1", "2024-01-01"]),
        ("model", ["inf", "-", "."]),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "xlsx", "jsonl"])
def test_labels_are_read_to_the_letter(
    tmp_path: Path, column: str, labels: list[str], ending: str
) -> None:
    f = pd.DataFrame(
        {"subject": "s", "roi": "V1", "model": "m", "layer": "l", "score": [0.1, 0.2, 0.3]}
    )
    f = f.assign(**{column: labels}).astype({column: object})
    path = save(f, tmp_path / f"t.{ending}")
    if "" in labels:
        with pytest.raises(
            DataError, match=rf"{path.name}.*(line|row|record) \d.*column 'subject' has no label"
        ):
            apa.read(path)
    else:
        assert apa.read(path).frame[column].tolist() == labels


def save(frame: pd.DataFrame, path: Path) -> Path:
    ending = path.suffix
    if ending == ".parquet":
        frame.to_parquet(path, index=False)
    elif ending == ".xlsx":
        frame.to_excel(path, index=False)
    elif ending == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    return path


def test_the_same_id_in_every_file_of_a_folder(tmp_path: Path) -> None:
    for k, s in enumerate(["01", "x2"]):
        f = pd.DataFrame(
            {"subject": ["01", s], "roi": "V1", "model": f"m{k}", "score": 0.1}
        ).drop_duplicates()
        f.to_csv(tmp_path / f"{k}.csv", index=False)
    assert sorted(apa.read(tmp_path).levels("subject")) == ["01", "x2"]


def test_whole_numbers_with_a_point_are_whole_labels() -> None:
    f = tidy().assign(subject=np.repeat(np.arange(6.0) + 1, 9))
    table = apa.read(f)
    assert table.levels("subject") == ["1", "2", "3", "4", "5", "6"]
    assert any("1.0 as '1'" in line for line in table.log)


def test_an_empty_label_names_its_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", "# made by hand\nsubject,roi,model,score\ns1,V1,a,1\n\ns2,,a,2\n"
    )
    with pytest.raises(DataError, match=r"t\.csv, line 5: column 'roi' has no label"):
        apa.read(path)
    with pytest.raises(DataError, match="row 1.*column 'roi' has no label"):
        apa.read(
            pd.DataFrame({"subject": ["a", "b"], "roi": ["V1", None], "model": "m", "score": 1.0})
        )


def test_blank_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    text = tidy().to_csv(index=False) + ",,,\n,,,\n , ,,\n"
    table = apa.read(write(tmp_path / "t.csv", text))
    same(table, tidy())
    assert "3 blank rows left out" in table.log
    f = pd.concat([tidy(), pd.DataFrame({"subject": [None], "score": [np.nan]})])
    same(apa.read(f), tidy())


def test_blanks_around_labels_are_removed_and_said(tmp_path: Path) -> None:
    f = tidy()
    f.loc[::2, "roi"] = f.loc[::2, "roi"] + " "
    f.to_csv(tmp_path / "t.csv", index=False)
    table = apa.read(tmp_path / "t.csv")
    same(table, tidy())
    assert any(line.startswith("roi: blanks around 3 labels removed") for line in table.log)


# dialects


@pytest.mark.parametrize("sep", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "txt"])
def test_separators_and_encodings(tmp_path: Path, sep: str, encoding: str, ending: str) -> None:
    f = tidy()
    f["roi"] = f["roi"].replace({"V1": "aire_é", "V2": "größer"})
    path = tmp_path / f"t.{ending}"
    f.to_csv(path, index=False, sep=sep, encoding=encoding)
    table = apa.read(path)
    same(table, f)
    assert any(encoding.replace("-sig", "") in line for line in table.log)


@pytest.mark.parametrize("sep", [";", "\t", ","])
def test_a_decimal_comma(tmp_path: Path, sep: str) -> None:
    f = tidy(age=np.repeat(np.arange(6) + 20.5, 9))
    f.loc[4, "score"] = np.nan
    f.to_csv(tmp_path / "t.csv", index=False, sep=sep, decimal=",", na_rep="n/a")
    table = apa.read(tmp_path / "t.csv")
    same(table, f)
    assert any("decimal comma" in line for line in table.log)


def test_a_comma_that_may_mark_thousands_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "subject;roi;model;score\na;V1;m;1,234\nb;V1;m;2,500\n")
    with pytest.raises(ReadError, match=r"'score': '1,234' fits a decimal comma and .*decimal=','"):
        apa.read(path)
    assert apa.read(path, decimal=",").frame["score"].tolist() == [1.234, 2.5]


def test_two_separators_that_fit_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "a;b,c;d,e;f\n1;V1,x;m,y;0.5\n2;V1,x;m,y;0.6\n")
    with pytest.raises(ReadError, match=r"two separators fit: sep=',' .* or sep=';'"):
        apa.read(path)


def test_what_no_one_encoding_fits_is_asked_for(tmp_path: Path) -> None:
    text = tidy().replace({"V1": "aire é"}).to_csv(index=False)
    path = write(tmp_path / "t.csv", text, "mac-roman")
    with pytest.raises(
        ReadError, match=r"not UTF-8 \(line 2\).*encoding='cp1252' or encoding='mac-roman'"
    ):
        apa.read(path)
    assert "aire é" in apa.read(path, encoding="mac-roman").levels("roi")


@pytest.mark.parametrize("mark", ["#", "%", "//"])
def test_comment_lines(tmp_path: Path, mark: str) -> None:
    lines = tidy().to_csv(index=False).splitlines()
    text = [f"{mark} made with a tool, v1", mark, *lines[:10], f"{mark} half", *lines[10:]]
    table = apa.read(write(tmp_path / "t.csv", "\n".join(text)))
    same(table, tidy())
    assert any("comment lines" in line for line in table.log)


def test_a_header_behind_a_comment_mark(tmp_path: Path) -> None:
    np.savetxt(
        tmp_path / "t.txt", tidy()[["subject", "roi", "model", "score"]].to_numpy(object), fmt="%s",
        header="subject roi model score",
    )  # fmt: skip
    same(apa.read(tmp_path / "t.txt"), tidy())


def test_a_row_of_another_width_names_its_line(tmp_path: Path) -> None:
    lines = tidy().to_csv(index=False).splitlines()
    lines[20] += ",x,y"
    with pytest.raises(
        ReadError, match=r"t\.csv: cannot be read: line 21 .*6 fields and the header 4"
    ):
        apa.read(write(tmp_path / "t.csv", "\n".join(lines)))
    lines = tidy().to_csv(index=False).splitlines() * 400
    lines = [lines[0], *(x for x in lines if not x.startswith("subject"))]
    lines[15000] += ",x,y"
    with pytest.raises(ReadError, match=r"line 15001 has 6 fields and the header 4"):
        apa.read(write(tmp_path / "t.csv", "\n".join(lines)))


def test_a_cell_that_is_no_number_names_line_and_column(tmp_path: Path) -> None:
    text = tidy().astype(object)
    text.loc[7, "score"] = "high"
    text.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(
        DataError, match=r"t\.csv, line 9: column 'score' must be numbers, and holds 'high'.*#N/A"
    ):
        apa.read(tmp_path / "t.csv")


# names people use

NAMES = {
    "subject": [
        "sub",
        "subj",
        "participant_id",
        "Subject",
        "SUBJECT",
        "subject_id",
        "Participant ID",
        "subjectID",
    ],
    "roi": ["region", "Region", "area", "roi_name", "ROI", "brain region", "BrainArea"],
    "model": ["network", "DNN", "net", "Model", "model_name", "Network name"],
    "score": [
        "r",
        "rho",
        "value",
        "alignment",
        "RSA (Spearman rho)",
        "Score",
        "pearson_r",
        "R²".replace("²", "2"),
    ],
}


@pytest.mark.parametrize(("role", "name"), [(r, n) for r, names in NAMES.items() for n in names])
def test_names_people_use_are_known_and_said(role: str, name: str) -> None:
    table = apa.read(tidy().rename(columns={role: name}))
    same(table, tidy())
    assert any(f"{name!r} as {role}" in line for line in table.log)


@pytest.mark.parametrize("name", ["Layer", "layer_name", "LAYER", "module"])
def test_layers_under_another_name(name: str) -> None:
    f = pd.concat([tidy(k).assign(**{name: f"l{k}"}) for k in range(4)])
    assert apa.read(f).levels("layer") == ["l0", "l1", "l2", "l3"]


def test_two_columns_that_claim_one_role_are_refused() -> None:
    f = tidy().assign(network="language", r=0.1)
    with pytest.raises(
        DataError, match=r"'model' and 'network' both claim 'model'.*rename="
    ) as caught:
        apa.read(f)
    assert "'score' and 'r' both claim 'score'" in str(caught.value)
    table = apa.read(f, keys=["network"], covariates=["r"])
    same(table, tidy())


def test_a_missing_role_says_how_to_name_it(tmp_path: Path) -> None:
    f = tidy().rename(columns={"model": "thing"})
    f.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(
        DataError, match=r"t\.csv: missing column 'model'.*rename=\{'thing': 'model'\}"
    ):
        apa.read(tmp_path / "t.csv")
    with pytest.raises(
        DataError, match=r"missing column 'model'.*wide='model' where 'clip', 'dino'"
    ):
        apa.read(spread())


# one file per subject or region


def test_entities_of_file_names_become_columns(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text("{}")
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-s0\t20\n")
    for (subject, roi), part in tidy().groupby(["subject", "roi"]):
        folder = tmp_path / f"sub-{subject}" / "func"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"sub-{subject}_roi-{roi}_desc-rsa_scores.tsv"
        part[["model", "score"]].to_csv(path, sep="\t", index=False)
    table = apa.read(tmp_path)
    same(table, tidy())
    assert any("from the names of files: subject, roi" in line for line in table.log)
    same(apa.read(f"{tmp_path}/sub-*/func/*_scores.tsv"), tidy())
    files = sorted(tmp_path.rglob("*_scores.tsv"))
    same(apa.read(files), tidy())
    same(apa.read([str(p) for p in files]), tidy())
    one = apa.read(f"{tmp_path}/sub-s1/**/*_scores.tsv")
    assert one.levels("subject") == ["s1"]


def test_files_of_a_folder_under_different_names(tmp_path: Path) -> None:
    f = tidy()
    f[f["subject"] < "s3"].to_csv(tmp_path / "a.csv", index=False)
    f[f["subject"] >= "s3"].rename(columns={"subject": "sub", "score": "r"}).to_csv(
        tmp_path / "b.csv", sep=";"
    )
    same(apa.read(tmp_path), f)


def test_many_small_files_name_the_one_with_the_fault(tmp_path: Path) -> None:
    f = tidy()
    for subject, part in f.groupby("subject"):
        part.to_csv(tmp_path / f"{subject}.csv", index=False)
    (tmp_path / "s3.csv").write_text((tmp_path / "s3.csv").read_text().replace("V2", "", 1))
    with pytest.raises(DataError, match=r"s3\.csv, line 5: column 'roi' has no label"):
        apa.read(tmp_path)


# refused, with what it is


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.mat", b"MATLAB 5.0 MAT-file", "is a MATLAB file; read_rdms"),
        ("x.npy", b"\x93NUMPY", "is a numpy array; read_rdms"),
        ("x.xls", b"\xd0\xcf\x11\xe0", "cannot be read"),
        ("x.h5", b"\x89HDF\r\n\x1a\n", "is no readable HDF5 file"),
        ("x.rds", b"\x1f\x8b", "is an R data file; R, saved with write.csv"),
        ("x.csv", b"", "is empty"),
        ("x.csv", b"PK\x03\x04zz", "ends like text and is binary; its ending should be .zip or .xlsx"),
        ("x.csv", b"\x80\x04\x95", "pickled files are refused"),
        ("x.xlsx", b"hello", "ends like Excel sheet and is none"),
        ("x.parquet", b"PAR1xxxxPAR1", "cannot be read"),
        ("x.feather", b"ARROW1\x00\x00zzzzzzzzzzARROW1", "cannot be read"),
        ("x.csv.gz", b"no", "cannot be unpacked"),
        ("x.zip", b"PK\x03\x04zz", "cannot be unpacked"),
        ("x.nc", b"CDF\x01zz", "cannot be read"),
        ("x.nc", b"\x89HDF\r\n\x1a\nzz", "cannot be read"),
        ("x.jsonl", b'{"a": 1}\n{"a":', "line 2 is no JSON"),
        ("x.json", b"[1, 2]", "holds no records"),
        ("x.csv", b"\x00\x00\x01\x00\x02\x00\x00\x00\x00\x00", "is not text"),
        ("x.xlsx", b"PK\x03\x04zz", "cannot be read"),
    ],
)  # fmt: skip
def test_each_refused_file_says_what_it_is(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError, match=message) as caught:
        apa.read(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize(
    "source", ["", " ", [], [""], np.zeros((3, 3)), 5, None, {}, [1, 2], {"a": [1], "b": [1, 2]}]
)
def test_what_is_no_table_is_an_input_error(source: object) -> None:
    with pytest.raises(InputError, match="source"):
        apa.read(source)


def test_damaged_files_never_end_in_a_crash(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    f = tidy()
    f.to_feather(tmp_path / "t.feather")
    f.to_parquet(tmp_path / "t.parquet")
    f.to_csv(tmp_path / "t.csv", index=False)
    f.to_csv(tmp_path / "t.csv.gz", index=False)
    f.to_csv(tmp_path / "u.csv", sep=";", decimal=",", encoding="utf-16")
    f.to_excel(tmp_path / "t.xlsx", index=False)
    f.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    f.set_index(["subject", "roi", "model"])["score"].to_xarray().to_netcdf(
        tmp_path / "t.nc", engine="h5netcdf"
    )
    f.set_index(["subject", "roi", "model"])["score"].to_xarray().to_netcdf(
        tmp_path / "u.nc", engine="scipy"
    )
    for name in sorted(p.name for p in tmp_path.iterdir()):
        good = (tmp_path / name).read_bytes()
        for i in range(30):
            bad = bytearray(good)
            for at in rng.integers(0, len(bad), 3):
                bad[at] = rng.integers(256)
            path = tmp_path / f"{i}{name}"
            path.write_bytes(bytes(bad))
            try:
                apa.read(path)
            except ApaError:
                continue


def test_a_file_and_its_name_must_not_contradict(tmp_path: Path) -> None:
    text = "subject,roi,model,score\n02,V1,m,0.5\n"
    path = write(tmp_path / "sub-01_scores.csv", text)
    with pytest.raises(
        DataError, match=r"line 2: column 'subject' says '02' and the name of the file '01'"
    ):
        apa.read(path)
    assert apa.read(path, ignore=["subject"]).levels("subject") == ["01"]
    assert apa.read(write(tmp_path / "sub-02_scores.csv", text)).levels("subject") == ["02"]


def test_a_file_of_scores_alone_is_read_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "sub-01_roi-V1_model-clip_scores.tsv", "score\n0.5\n")
    row = apa.read(path).frame.iloc[0]
    assert (row["subject"], row["roi"], row["model"], row["score"]) == ("01", "V1", "clip", 0.5)


@pytest.mark.parametrize(
    "options",
    [{"rename": {"a": 5}}, {"rename": ["x"]}, {"defaults": {"metric": ["a"]}}, {"keys": "a"}, {"ignore": [1]},
     {"wide": ["clip"]}, {"wide": {"model": "clip"}}, {"wide": {"x": ["a"]}}, {"sep": ",,"}, {"decimal": "x"},
     {"encoding": "utf-8"}, {"covariates": ["absent"]}, {"wide": {"model": ["absent"]}}],
)  # fmt: skip
def test_wrong_options_are_input_errors(options: dict) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        apa.read(tidy(), **options)


def test_infinite_scores_name_their_line(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "subject,roi,model,score\ns1,V1,m,0.5\ns2,V1,m,inf\n")
    with pytest.raises(DataError, match="line 3: column 'score' is infinite"):
        apa.read(path)


@pytest.mark.parametrize("column", ["age", "noise_ceiling", "mine"])
def test_one_odd_code_does_not_turn_numbers_into_text(column: str) -> None:
    f = tidy(**{column: np.repeat(np.arange(6) + 20.5, 9)}).astype({column: object})
    f.loc[4, column] = "?"
    with pytest.raises(
        DataError, match=rf"row 4.*column '{column}' must be numbers, and holds '\?'"
    ):
        apa.read(f, covariates=["mine"] if column == "mine" else ())


def test_one_odd_cell_does_not_lose_a_model() -> None:
    f = spread().astype({"clip": object})
    f.loc[4, "clip"] = "high"
    with pytest.raises(
        DataError, match=r"'clip': numbers and text.*wide=\{'model': \['clip', ...\]\}"
    ):
        apa.read(f, wide="model")
    with pytest.raises(DataError, match=r"row 4.*column 'clip' must be numbers, and holds 'high'"):
        apa.read(f, wide={"model": MODELS})
