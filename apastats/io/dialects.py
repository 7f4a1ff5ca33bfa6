"""Text tables: encoding, comment lines, separator, decimal mark and header are found out and said, then pyarrow reads.

Where two readings both fit, the error names the argument that decides.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apastats.errors import ReadError
from apastats.io.columns import MISSING, canonical
from apastats.io.number_text import NUMBER, Marks, fold
from apastats.rows import KEY_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COMMENTS", "DECIMALS", "ENCODINGS", "SEPARATORS", "Dialect", "read_text", "sniff"]

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blank"}
DECIMALS = {".": "point", ",": "comma"}
COMMENTS = ("#", "%", "//")
ENCODINGS = {
    "utf-8": "the default, with or without a byte order mark",
    "utf-16": "by its byte order mark, or by its zero bytes",
    "latin-1": "what is not UTF-8 and holds no bytes 0x80 to 0x9f",
    "any other": "by encoding=, e.g. cp1252 or mac-roman",
}
SAMPLE = 1 << 18
_TITLES = 20  # lines above the header that may hold titles
_SEP_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_NUMBER = re.compile(rf"{NUMBER.pattern}|[+-]?inf(inity)?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_POINT, _COMMA = Marks("."), Marks(",")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes
    ----------
    encoding, sep, decimal : str
    comment : str or None
        What comment lines begin with.
    header : tuple of str
        Names, as they stand.
    start : int
        Byte (in UTF-8) at which the rows begin.
    row_names : bool
        Whether rows begin with a name that the header lacks, as R writes them.
    trailing : bool
        Whether rows end in a separator that the header lacks.
    titles : int
        Lines above the header that are left out.
    """

    encoding: str
    sep: str
    decimal: str
    comment: str | None
    header: tuple[str, ...]
    start: int
    row_names: bool = False
    trailing: bool = False
    titles: int = 0

    @property
    def names(self) -> list[str]:
        """Names of the fields of a row, made distinct as ``score``, ``score.1``."""
        fields = ["", *self.header] if self.row_names else list(self.header)
        fields += ["Unnamed: trailing"] * self.trailing
        seen: dict[str, int] = {}
        out = []
        for i, name in enumerate(fields):
            text = name.strip() or ("" if i == 0 else f"Unnamed: {i}")
            count = seen.get(text, 0)
            seen[text] = count + 1
            out.append(f"{text}.{count}" if count else text)
        return out

    def describe(self) -> str:
        """``semicolon-separated text, decimal comma, latin-1``."""
        parts = [f"{SEPARATORS.get(self.sep, repr(self.sep))}-separated text"]
        parts.append(f"decimal {DECIMALS[self.decimal]}")
        parts.append(self.encoding)
        if self.comment:
            parts.append(f"comment lines ({self.comment}) left out")
        if self.titles:
            parts.append(f"lines above the header left out: {self.titles}")
        if self.row_names:
            parts.append("row names without a header")
        return ", ".join(parts)


def to_utf8(data: bytes, name: str, encoding: str | None) -> tuple[bytes, str]:
    """The text as UTF-8 without byte order mark, and the encoding it had."""
    if encoding is not None:
        try:
            return data.decode(encoding).removeprefix("\ufeff").encode(), encoding
        except LookupError as error:
            raise ReadError(name, f"encoding={encoding!r} is not known to Python") from error
        except UnicodeError as error:
            raise ReadError(
                name, f"is not {encoding} ({error}); encoding= names another"
            ) from error
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:], "utf-8"
    head = data[:4096]
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not wide and b"\x00" in head:
        odd, even = head[1::2].count(0), head[::2].count(0)
        if max(odd, even) < 0.2 * len(head) or min(odd, even) > 0.05 * len(head):
            raise ReadError(name, "is not text (it holds zero bytes)")
        found = "utf-16-le" if odd > even else "utf-16-be"
    else:
        found = "utf-16" if wide else "utf-8"
    try:
        if found == "utf-8":
            data.decode()
            return data, found
        return data.decode(found).removeprefix("\ufeff").encode(), found
    except UnicodeDecodeError as error:
        if found != "utf-8":
            raise ReadError(name, f"begins as {found} and is not ({error}); encoding=") from error
        line = data[: error.start].count(b"\n") + 1
    other = re.search(rb"[\x80-\x9f]", re.sub(rb"[\xc2-\xf4][\x80-\xbf]+", b"", data))
    if other:
        two = [other[0].decode(e, "replace") for e in ("cp1252", "mac-roman")]
        raise ReadError(
            name,
            f"is not UTF-8 (line {line}); byte 0x{other[0][0]:02x} is {two[0]!r} in cp1252 and {two[1]!r} in "
            f"mac-roman: say encoding='cp1252' or encoding='mac-roman'",
        )
    return data.decode("latin-1").encode(), "latin-1"


def sniff(
    text: bytes,
    name: str,
    *,
    sep: str | None = None,
    decimal: str | None = None,
    comment: str | None = None,
    encoding: str = "utf-8",
    known: Collection[str] = (),
) -> Dialect:
    """Find out how a text table is written.

    Parameters
    ----------
    text : bytes
        UTF-8; the first 256 kB are looked at.
    name : str
        For messages.
    sep, decimal, comment : str, optional
        As in :func:`apastats.read`; what is given is not looked for.
    encoding : str
        The encoding the text had.
    known : collection of str
        Column names that arguments mention.

    Returns
    -------
    Dialect

    Raises
    ------
    ReadError
        If nothing fits, or two readings do.
    """
    lines = text[:SAMPLE].decode("utf-8", "ignore").splitlines(keepends=True)
    if len(text) > SAMPLE and len(lines) > 1:
        lines = lines[:-1]  # may be cut
    first, marks, mark = 0, [], comment
    while first < len(lines):
        line = lines[first].strip()
        begins = next((c for c in ([comment] if comment else COMMENTS) if line.startswith(c)), None)
        if line and begins is None:
            break
        if begins is not None:
            mark = begins
            marks.append(line[len(begins) :].strip())
        first += 1
    if first < len(lines) and (told := _SEP_LINE.fullmatch(lines[first].strip())):
        sep = sep or told[1]  # what Excel is told in a first line of its own
        first += 1
    titles = _titles(lines[first:], sep, known)
    first += titles
    body = lines[first:]
    if not body:
        raise ReadError(name, "is empty" if not marks else "holds comment lines only")
    header_in_comment = bool(marks) and _header_in_comment(marks[-1], body[0], sep, known)
    if header_in_comment:
        body = [marks[-1] + "\n", *body]
    found = _separator(body, name, sep, mark, known)
    header, row_names, trailing, rows = found[1:]
    used = len("".join(lines[:first]).encode())
    start = used if header_in_comment else used + len(_first_record(body).encode())
    names = ["", *header] if row_names else header
    return Dialect(
        encoding,
        found[0],
        decimal or _decimal(rows, names, name),
        mark,
        tuple(header),
        start,
        row_names,
        trailing,
        titles,
    )


def _fields(line: str, sep: str) -> list[str]:
    """Fields of a line; one that is longer than csv takes ends the line."""
    try:
        return next(csv.reader([line], delimiter=sep), [])
    except csv.Error:
        return line.rstrip("\r\n").split(sep)


def _titles(body: list[str], sep: str | None, known: Collection[str]) -> int:
    """Lines above the header that hold titles: none has two names of columns, and the header has three."""

    def known_names(line: str) -> tuple[int, str]:
        fields = {s: _fields(line, s) for s in ([sep] if sep else SEPARATORS)}
        return max((_known(f, known), s) for s, f in fields.items())

    if not body or known_names(body[0])[0] > 1:
        return 0
    for i, line in enumerate(body[1:_TITLES], 1):
        count, s = known_names(line)
        if count > 2:
            # rows of a table without a header would have as many fields as it
            above = (_fields(t, s) for t in body[:i])
            return i if all(sum(map(bool, fields)) < 2 for fields in above) else 0
    return 0


def _first_record(body: list[str]) -> str:
    """The lines of the header, which may hold line breaks in quotes."""
    for n in range(1, len(body) + 1):
        record = "".join(body[:n])
        if record.count('"') % 2 == 0:
            return record
    return body[0]


def _known(header: list[str], known: Collection[str]) -> int:
    roles = {canonical(h.strip()) for h in header} & {*KEY_COLUMNS, "score"}
    return len(roles) + len({h.strip() for h in header} & set(known))


def _header_in_comment(mark: str, first: str, sep: str | None, known: Collection[str]) -> bool:
    """Whether the last comment line is the header of the rows (as ``numpy.savetxt`` writes it)."""
    for s in [sep] if sep else SEPARATORS:
        names, cells = (_fields(t, s) for t in (mark, first))
        if len(names) == len(cells) > 1 and _known(names, known) > 1 > _known(cells, known):
            return True
    return False


def _fit(
    body: list[str], sep: str, mark: str | None
) -> tuple[list[str], list[list[str]], tuple[int, int] | None]:
    """Header and rows under one separator, and (line, fields) of the first row of another width."""
    reader = csv.reader(body, delimiter=sep, skipinitialspace=sep == " ")
    header: list[str] = []
    rows: list[list[str]] = []
    odd = None
    for row in reader:
        if not row or not any(row):
            if row and header:
                rows.append(row)
            continue
        if sep == " " and row[-1] == "":
            row = row[:-1]
        if not header:
            header = row
            continue
        if len(row) != len(header) and row[0].lstrip().startswith(mark or COMMENTS[0]):
            continue
        rows.append(row)
        if odd is None and len(row) not in (len(header), len(header) + 1):
            odd = (reader.line_num, len(row))
    return header, [r for r in rows if any(r)], odd


Fitted = tuple[str, list[str], bool, bool, list[list[str]]]


def _separator(
    body: list[str], name: str, sep: str | None, mark: str | None, known: Collection[str]
) -> Fitted:
    """Separator, header, whether rows have names, whether they end in a separator, and the rows."""
    fits: list[tuple[int, Fitted]] = []
    near: list[tuple[int, str, int, tuple[int, int]]] = []
    for s in [sep] if sep else SEPARATORS:
        try:
            first = next(csv.reader(body, delimiter=s, skipinitialspace=s == " "), [])
            if len(first) < 2 and not sep and (s != "," or not _known(first, known)):
                continue  # one column is read where its name is known
            header, rows, odd = _fit(body, s, mark)
        except csv.Error:
            continue
        n = len(header)
        if n < 2 and not sep and (s != "," or not _known(header, known)):
            continue
        one_more = bool(rows) and all(len(r) == n + 1 for r in rows)
        trailing = one_more and all(r[-1].strip() == "" for r in rows)
        uneven = next((i for i, r in enumerate(rows) if len(r) != n), None)
        if odd is not None or (uneven is not None and not one_more):
            where = odd or (uneven + 2 if uneven is not None else 1, n + 1)
            near.append((_known(header, known), s, n, where))
            continue
        fits.append((_known(header, known), (s, header, one_more and not trailing, trailing, rows)))
    if not fits:
        raise ReadError(name, _nothing_fits(body, near))
    return _best_fit(fits, name)


def _best_fit(fits: list[tuple[int, Fitted]], name: str) -> Fitted:
    """The separator under which most columns have known names; the ending decides between equals."""
    most = max(score for score, _ in fits)
    best = [f for score, f in fits if score == most]
    by_ending = [f for f in best if name.lower().endswith(".tsv") and f[0] == "\t"]
    if len(best) > 1 and not by_ending:
        ways = " or ".join(f"sep={f[0]!r} ({len(f[1])} columns: {f[1][:4]})" for f in best)
        raise ReadError(name, f"two separators fit: {ways}")
    return (by_ending or best)[0]


def _nothing_fits(body: list[str], near: list[tuple[int, str, int, tuple[int, int]]]) -> str:
    if near:
        _, s, n, (line, fields) = max(near)
        return (
            f"cannot be read: line {line} of the table has {fields} fields and the header {n} "
            f"({SEPARATORS.get(s, s)}-separated); first line {body[0].strip()[:80]!r}; sep= and comment= name others, "
            "lines of notes have to be removed"
        )
    return f"cannot be read: no separator found in the first line {body[0].strip()[:80]!r}; sep= names it"


def _decimal(rows: list[list[str]], header: list[str], name: str) -> str:
    """Decimal mark of the columns that hold numbers; an error where commas may be either."""
    commas: list[tuple[str, str]] = []
    points = False
    for i, column in enumerate(header):
        role = canonical(column.strip())
        if role in KEY_COLUMNS or role == "further label":
            continue
        cells = [fold(r[i]).removesuffix("%").rstrip() for r in rows if i < len(r)]
        with_comma, point = _marks_of(
            [c for c in dict.fromkeys(cells) if c not in MISSING], score=role == "score"
        )
        commas += [(column, c) for c in with_comma]
        points |= point
    if not commas:
        return "."
    if points or all(_POINT.grouped(c) for _, c in commas):
        column, cell = commas[0]
        raise ReadError(
            name,
            f"column {column!r}: {cell!r} fits a decimal comma and a mark of thousands: say decimal=',' or "
            f"decimal='.', which reads commas as marks of thousands",
        )
    return ","


def _marks_of(filled: list[str], *, score: bool) -> tuple[list[str], bool]:
    """Cells of a column whose comma may be a decimal one, and whether points are decimal ones."""
    if any(_POINT.seen(c) for c in filled):  # 1,234.5: the commas of this column are no riddle
        return [], True
    thousands = any(map(_COMMA.seen, filled))
    point = not thousands and any(_DECIMAL_POINT.fullmatch(c) for c in filled)
    found = [
        c for c in filled if _DECIMAL_COMMA.fullmatch(c) or _POINT.grouped(c) or _COMMA.seen(c)
    ]
    # a column of numbers: commas in free text mean nothing
    commas = set(found)
    if commas and all(c in commas or NUMBER.fullmatch(c) or _COMMA.grouped(c) for c in filled):
        return found, point
    return [], point and score


def read_text(
    data: pa.Buffer,
    name: str,
    dialect: Dialect,
    labels: Collection[str],
    *,
    threads: bool = True,
) -> pa.Table:
    """Rows of a text table.

    Parameters
    ----------
    data : pyarrow.Buffer
        UTF-8.
    name : str
        For messages.
    dialect : Dialect
    labels : collection of str
        Columns that are read as text whatever they hold.
    threads : bool
        Whether pyarrow may use threads.

    Returns
    -------
    pyarrow.Table
        Labels as dictionaries of text, to the letter; numbers as float64 where every cell is one.

    Raises
    ------
    ReadError
        If rows differ in their number of fields; the line is named.
    """
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    body = data.slice(dialect.start)
    if dialect.sep == " ":
        body = pa.py_buffer(re.sub(rb"(?m)^ +| +$", b"", re.sub(rb" +", b" ", body.to_pybytes())))
    names = dialect.names
    numeric = _numeric_columns(body, dialect, labels)
    text = pa.dictionary(pa.int32(), pa.string())
    wrong: list[tuple[int, str]] = []

    def skip(row: Any) -> str:
        if row.text.lstrip().startswith(dialect.comment or COMMENTS[0]):
            return "skip"
        wrong.append((row.actual_columns, row.text))
        return "error"

    view = memoryview(body)
    # quoted line breaks cost time; where the first rows have no quotes they are looked for after a fault
    sample = bytes(view[:SAMPLE])

    def parse(types: dict[str, Any], quoted: bool) -> pa.Table:
        return pa_csv.read_csv(
            pa.BufferReader(body),
            read_options=pa_csv.ReadOptions(column_names=names, use_threads=threads),
            parse_options=pa_csv.ParseOptions(
                delimiter=dialect.sep, newlines_in_values=quoted, invalid_row_handler=skip
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=types,
                null_values=list(MISSING),
                strings_can_be_null=False,
                decimal_point=dialect.decimal,
            ),
        )

    if not sample.strip() and len(view) <= SAMPLE:
        return pa.table({n: pa.array([], pa.string()) for n in names})
    first = {n: pa.float64() if n in numeric else text for n in names}
    # a cell that is no number: all as text, so that the cell can be named
    tries = [(first, b'"' in sample), (first, True), (dict.fromkeys(names, text), True)]
    try:
        for types, quoted in tries[:-1]:
            try:
                return parse(types, quoted)
            except pa.ArrowInvalid:
                wrong.clear()
        return parse(*tries[-1])
    except (pa.ArrowException, OSError, ValueError) as error:
        if wrong:
            fields, row = wrong[0]
            line = _line_of(row, dialect.start, data)
            raise ReadError(
                name,
                f"cannot be read: line {line} has {fields} fields and the header {len(names)} "
                f"({SEPARATORS.get(dialect.sep, dialect.sep)}-separated): {row[:80]!r}; sep= and comment= name others",
            ) from error
        raise ReadError(name, f"cannot be read ({type(error).__name__}: {error})") from error


def _line_of(row: str, start: int, data: pa.Buffer) -> int:
    """Line of the file (from 1) that holds a row."""
    whole = bytes(memoryview(data))
    at = whole.find(row.encode(), start)
    return whole[: max(at, 0)].count(b"\n") + 1


def _numeric_columns(body: pa.Buffer, dialect: Dialect, labels: Collection[str]) -> set[str]:
    """Columns whose cells are numbers in the first rows, and that are no labels."""
    lines = bytes(memoryview(body)[:SAMPLE]).decode("utf-8", "ignore").splitlines(keepends=True)
    try:
        rows = list(csv.reader(lines[:2000], delimiter=dialect.sep))
    except csv.Error:  # a field longer than csv takes
        rows = [_fields(line, dialect.sep) for line in lines[:2000]]
    filled: list[list[str]] = [r for r in rows if len(r) == len(dialect.names)][:1000]
    found = set()
    for i, name in enumerate(dialect.names):
        if name in labels:
            continue
        cells = [c for c in (r[i].strip() for r in filled) if c not in MISSING]
        if dialect.decimal == ",":
            cells = [c.replace(",", ".") if "." not in c else "x" for c in cells]
        if cells and all(_NUMBER.fullmatch(c) and not re.fullmatch(r"0\d+", c) for c in cells):
            found.add(name)
    return found


def lines_of_rows(data: pa.Buffer, dialect: Dialect) -> Callable[[int], int]:
    """Function from the number of a row (from 0) to its line in the file (from 1)."""

    def records() -> Iterator[int]:
        whole = data.to_pybytes()
        before = whole[: dialect.start].count(b"\n")
        text = whole[dialect.start :].decode("utf-8", "replace")
        reader = csv.reader(text.splitlines(keepends=True), delimiter=dialect.sep)
        previous = 0
        for row in reader:
            line, previous = previous + 1, reader.line_num
            comment = dialect.comment or COMMENTS[0]
            other = len(row) != len(dialect.names) and row and row[0].lstrip().startswith(comment)
            if row and not other:
                yield before + line

    def line(row: int) -> int:
        try:
            return next((n for i, n in enumerate(records()) if i == row), row + 1)
        except csv.Error:  # a field longer than csv takes
            return row + 1

    return line
