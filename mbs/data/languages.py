"""The languages: one table of names, scripts, families, ROOTS sizes and the codes that public data sets use.

Sources: ROOTS sizes of the paper's 20 languages are the exact byte counts published with BLOOMZ (Muennighoff et al.,
2022); those of the other ROOTS languages are rounded to the digits that could be confirmed, and absent where none
could. Corpus codes follow CC-100, XL-Sum, XNLI, FineWeb-2, FLORES+/Belebele and mC4/Wikipedia.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mbs.errors import MbsError, unknown


@dataclass(frozen=True)
class Language:
    """One row of the table; a data set's code is None where it is known not to have the language.

    `mc4` is the code that mC4 and Wikipedia share; not every Wikipedia language is in mC4. `collection` marks a text
    that is measured like a language, but is none: summaries over languages leave it out.
    """

    code: str
    name: str
    script: str
    family: str
    roots_bytes: int | None = None
    cc100: str | None = None
    xlsum: str | None = None
    xnli: str | None = None
    fineweb2: str | None = None
    flores: str | None = None
    mc4: str | None = None
    collection: bool = False


def _row(
    code: str,
    name: str,
    script: str,
    family: str,
    roots: int | None,
    iso3: str | None = None,
    **codes: str | None,
) -> Language:
    """A row whose unstated codes follow the usual pattern: its own code, and `iso3_Script`."""
    tag = f"{iso3}_{script}" if iso3 else None
    row = Language(code, name, script, family, roots, cc100=code, fineweb2=tag, flores=tag, mc4=code)
    return replace(row, **codes)  # type: ignore[arg-type]


_IE, _NC, _DR, _ST, _AN = "Indo-European", "Niger-Congo", "Dravidian", "Sino-Tibetan", "Austronesian"
_AA, _AS, _TU, _UR, _TK = "Afro-Asiatic", "Austroasiatic", "Turkic", "Uralic", "Kra-Dai"

_ROWS = (
    # The paper's 20 languages, by ROOTS size.
    _row("en", "English", "Latn", _IE, 484_953_009_124, xlsum="english", xnli="en", flores="eng_Latn"),
    _row("zh-Hans", "Chinese (simplified)", "Hans", _ST, 261_019_433_892, xlsum="chinese_simplified", xnli="zh",
         fineweb2="cmn_Hani", flores="zho_Hans", mc4="zh"),
    _row("fr", "French", "Latn", _IE, 208_242_620_434, "fra", xlsum="french", xnli="fr"),
    _row("es", "Spanish", "Latn", _IE, 175_098_365_045, "spa", xlsum="spanish", xnli="es"),
    _row("pt", "Portuguese", "Latn", _IE, 79_277_543_375, "por", xlsum="portuguese"),
    _row("ar", "Arabic", "Arab", _AA, 74_854_900_600, "arb", xlsum="arabic", xnli="ar"),
    _row("vi", "Vietnamese", "Latn", _AS, 43_709_279_959, "vie", xlsum="vietnamese", xnli="vi"),
    _row("hi", "Hindi", "Deva", _IE, 24_622_119_985, "hin", xlsum="hindi", xnli="hi"),
    _row("id", "Indonesian", "Latn", _AN, 19_972_325_222, "ind", xlsum="indonesian"),
    _row("bn", "Bengali", "Beng", _IE, 18_606_823_104, "ben", xlsum="bengali"),
    _row("ta", "Tamil", "Taml", _DR, 7_989_206_220, "tam", xlsum="tamil"),
    _row("te", "Telugu", "Telu", _DR, 2_993_407_159, "tel", xlsum="telugu"),
    _row("ur", "Urdu", "Arab", _IE, 2_781_329_959, "urd", xlsum="urdu", xnli="ur"),
    _row("ne", "Nepali", "Deva", _IE, 2_551_307_393, "npi", xlsum="nepali"),
    _row("mr", "Marathi", "Deva", _IE, 1_775_483_122, "mar", xlsum="marathi"),
    _row("gu", "Gujarati", "Gujr", _IE, 1_199_986_460, "guj", xlsum="gujarati"),
    _row("zh-Hant", "Chinese (traditional)", "Hant", _ST, 762_489_150, xlsum="chinese_traditional",
         flores="zho_Hant", mc4="zh"),
    _row("sw", "Swahili", "Latn", _NC, 236_482_543, "swh", xlsum="swahili", xnli="sw"),
    _row("yo", "Yoruba", "Latn", _NC, 89_695_835, "yor", xlsum="yoruba"),
    _row("ig", "Igbo", "Latn", _NC, 14_078_521, "ibo", xlsum="igbo"),
    # The other languages of XNLI, XCOPA, PAWS-X and XStoryCloze.
    _row("bg", "Bulgarian", "Cyrl", _IE, None, "bul", xnli="bg"),
    _row("de", "German", "Latn", _IE, None, "deu", xnli="de"),
    _row("el", "Greek", "Grek", _IE, None, "ell", xnli="el"),
    _row("ru", "Russian", "Cyrl", _IE, None, "rus", xlsum="russian", xnli="ru"),
    _row("th", "Thai", "Thai", _TK, None, "tha", xlsum="thai", xnli="th"),
    _row("tr", "Turkish", "Latn", _TU, None, "tur", xlsum="turkish", xnli="tr"),
    _row("et", "Estonian", "Latn", _UR, None, "ekk", flores="est_Latn"),
    _row("ht", "Haitian Creole", "Latn", "French-based creole", None, "hat"),
    _row("it", "Italian", "Latn", _IE, None, "ita"),
    _row("qu", "Quechua", "Latn", "Quechuan", None, "quy"),
    _row("ja", "Japanese", "Jpan", "Japonic", None, "jpn", xlsum="japanese"),
    _row("ko", "Korean", "Kore", "Koreanic", None, "kor", fineweb2="kor_Hang", flores="kor_Hang", xlsum="korean"),
    _row("my", "Burmese", "Mymr", _ST, None, "mya", xlsum="burmese"),
    # The other natural languages of ROOTS.
    _row("ca", "Catalan", "Latn", _IE, 17_790_000_000, "cat"),
    _row("ml", "Malayalam", "Mlym", _DR, 3_660_000_000, "mal"),
    _row("eu", "Basque", "Latn", "isolate", 2_360_000_000, "eus"),
    _row("kn", "Kannada", "Knda", _DR, 2_100_000_000, "kan"),
    _row("pa", "Punjabi", "Guru", _IE, 1_570_000_000, "pan", xlsum="punjabi"),
    _row("or", "Odia", "Orya", _IE, 1_160_000_000, "ory"),
    _row("as", "Assamese", "Beng", _IE, 290_000_000, "asm"),
    _row("rw", "Kinyarwanda", "Latn", _NC, 40_400_000, "kin", cc100=None),
    _row("xh", "Xhosa", "Latn", _NC, 14_300_000, "xho"),
    _row("zu", "Zulu", "Latn", _NC, 8_500_000, "zul"),
    _row("ak", "Akan", "Latn", _NC, 701_554, "aka", cc100=None, fineweb2=None),
    _row("bm", "Bambara", "Latn", _NC, None, "bam", cc100=None),
    _row("fon", "Fon", "Latn", _NC, None, "fon", cc100=None),
    _row("ki", "Kikuyu", "Latn", _NC, None, "kik", cc100=None),
    _row("lg", "Luganda", "Latn", _NC, None, "lug"),
    _row("ln", "Lingala", "Latn", _NC, None, "lin"),
    _row("nso", "Northern Sotho", "Latn", _NC, None, "nso", cc100="ns"),
    _row("ny", "Chichewa", "Latn", _NC, None, "nya", cc100=None),
    _row("rn", "Kirundi", "Latn", _NC, None, "run", cc100=None, xlsum="kirundi"),
    _row("sn", "Shona", "Latn", _NC, None, "sna", cc100=None),
    _row("st", "Sesotho", "Latn", _NC, None, "sot", cc100=None),
    _row("tn", "Setswana", "Latn", _NC, None, "tsn"),
    _row("ts", "Tsonga", "Latn", _NC, None, "tso", cc100=None),
    _row("tum", "Tumbuka", "Latn", _NC, None, "tum", cc100=None),
    _row("tw", "Twi", "Latn", _NC, None, "twi", cc100=None),
    _row("wo", "Wolof", "Latn", _NC, None, "wol"),
    # The paper's 21st text.
    Language("wikitext2", "WikiText-2 (English)", "Latn", _IE, collection=True),
)  # fmt: skip

LANGUAGES: Mapping[str, Language] = MappingProxyType({row.code: row for row in _ROWS})
PAPER_LANGUAGES: tuple[str, ...] = tuple(row.code for row in _ROWS[:20])


def extended(extra: Mapping[str, Mapping[str, str]] | None) -> Mapping[str, Language]:
    """The table with a user's own languages added: `{code: {name: ..., script: ..., family: ...}}`."""
    rows = dict(LANGUAGES)
    for code, fields in (extra or {}).items():
        if not isinstance(code, str):
            raise yaml_key(code, "extra_languages")
        missing = [field for field in ("name", "script", "family") if field not in fields]
        if missing:
            raise MbsError(f"extra_languages.{code} has no {', '.join(missing)}", "name, script and family")
        try:
            rows[code] = replace(Language(code, "", "", ""), **fields)  # type: ignore[arg-type]
        except TypeError as error:
            raise MbsError(f"extra_languages.{code}: {error}", f"fields of {list(Language.__annotations__)}") from None
    return MappingProxyType(rows)


def checked(codes: Iterable[object], where: str, table: Mapping[str, Language] = LANGUAGES) -> tuple[str, ...]:
    """The codes as a tuple of strings; raises one clear line for the first that the table does not hold."""
    seen: list[str] = []
    for code in codes:
        if not isinstance(code, str):
            raise yaml_key(code, where)
        if code not in table:
            error = unknown("language", code, table)
            raise MbsError(f"{where}: {error}")
        if code in seen:
            raise MbsError(f"{where}: language '{code}' is given twice", "each language once")
        seen.append(code)
    return tuple(seen)


def yaml_key(key: object, where: str) -> MbsError:
    """The error for a code that YAML did not read as text: `no`, `on` and `yes` become booleans."""
    hint = 'quotes: YAML reads the bare words no, off, on and yes as true or false, so write "no"'
    return MbsError(f"{where}: a language named {key!r}, which is not text", "language codes as text", hint)
