"""The parts that made-up people's names and places are put together from. Thai, and how it is written in English.

Nobody is meant: names are drawn by chance, places and their codes are issued to no one.
"""

from __future__ import annotations

from typing import Final

Pair = tuple[str, str]

FIRST: Final[tuple[Pair, ...]] = (
    ("กมล", "Kamon"), ("กิตติ", "Kitti"), ("เกษม", "Kasem"), ("ขจร", "Khachon"), ("คณิต", "Khanit"),
    ("จารุ", "Charu"), ("จิร", "Chira"), ("เจริญ", "Charoen"), ("ชนะ", "Chana"), ("ชล", "Chon"),
    ("ชุติ", "Chuti"), ("ญาณ", "Yan"), ("ฐิติ", "Thiti"), ("ณัฐ", "Nat"), ("ดวง", "Duang"),
    ("เดช", "Det"), ("ทวี", "Thawi"), ("ทัศน", "Thatsana"), ("ธน", "Thana"), ("ธีร", "Thira"),
    ("นพ", "Nop"), ("นวล", "Nuan"), ("นิติ", "Niti"), ("บุญ", "Bun"), ("ปฐม", "Pathom"),
    ("ประ", "Pra"), ("ปรีดา", "Prida"), ("พงศ์", "Phong"), ("พิชิต", "Phichit"), ("เพ็ญ", "Phen"),
    ("ภาณุ", "Phanu"), ("มงคล", "Mongkhon"), ("เมธา", "Metha"), ("ยุทธ", "Yut"), ("รัฐ", "Rat"),
    ("ลือ", "Lue"), ("วชิร", "Wachira"), ("วิชา", "Wicha"), ("ศรี", "Si"), ("สม", "Som"),
    ("สิทธิ", "Sitthi"), ("สุ", "Su"), ("อนุ", "Anu"), ("อรุณ", "Arun"), ("อุดม", "Udom"),
)  # fmt: skip
MALE: Final[tuple[Pair, ...]] = (
    ("ชัย", "chai"), ("พล", "phon"), ("วุฒิ", "wut"), ("ศักดิ์", "sak"), ("เดชา", "decha"),
    ("พันธ์", "phan"), ("ภพ", "phop"), ("ยศ", "yot"), ("กร", "kon"), ("เกียรติ", "kiat"),
    ("ทัต", "that"), ("ธรรม", "tham"), ("บดี", "bodi"), ("ปกรณ์", "pakon"), ("รงค์", "rong"),
    ("ฤทธิ์", "rit"), ("วัฒน์", "wat"), ("สรรค์", "san"), ("หาญ", "han"), ("โชติ", "chot"),
)  # fmt: skip
FEMALE: Final[tuple[Pair, ...]] = (
    ("รัตน์", "rat"), ("วรรณ", "wan"), ("พร", "phon"), ("ดา", "da"), ("จันทร์", "chan"),
    ("ทิพย์", "thip"), ("นภา", "napha"), ("นารี", "nari"), ("ปภา", "papha"), ("มาลี", "mali"),
    ("มณี", "mani"), ("ลักษณ์", "lak"), ("วดี", "wadi"), ("ศิริ", "siri"), ("สุดา", "suda"),
    ("อร", "on"), ("ฤดี", "rudi"), ("ภรณ์", "phorn"), ("กาญจน์", "kan"), ("ใจ", "chai"),
)  # fmt: skip
FAMILY: Final[tuple[Pair, ...]] = (
    ("ธาร", "Than"), ("วงศ์", "Wong"), ("ทองจำลอง", "Thongchamlong"), ("ไพร", "Phrai"), ("สวนสมมุติ", "Suansommut"),
    ("บึง", "Bueng"), ("เขาเงา", "Khaongao"), ("นาเงา", "Nangao"), ("คลองเงา", "Khlongngao"), ("ดอนเงา", "Donngao"),
    ("หินเงา", "Hinngao"), ("ฟ้าเงา", "Fangao"), ("รุ้ง", "Rung"), ("แสงเงา", "Saengngao"), ("ลมเงา", "Lomngao"),
    ("จันทร์เงา", "Channgao"), ("ตะวันเงา", "Tawanngao"), ("เมฆเงา", "Mekngao"), ("ทะเลเงา", "Thalengao"),
    ("ป่าเงา", "Pangao"),
)  # fmt: skip
FAMILY_END: Final[tuple[Pair, ...]] = (
    ("สมมุติกุล", "sommutkun"), ("จำลองวงศ์", "chamlongwong"), ("ตัวอย่างดี", "tuayangdi"), ("นิรนาม", "niranam"),
    ("ลวงเรือง", "luangrueang"), ("เสมือนชัย", "samueanchai"), ("มายาวัฒน์", "mayawat"), ("เงาทอง", "ngaothong"),
    ("แบบอย่าง", "baepyang"), ("นามแฝง", "namfaeng"), ("ทดลองสุข", "thotlongsuk"), ("ร่างทรัพย์", "rangsap"),
    ("จินตกุล", "chintakun"), ("พรางแสง", "phrangsaeng"), ("ฝันดี", "fandi"), ("สร้างสรรค์ยิ่ง", "sangsanying"),
    ("แปลงนาม", "plaengnam"), ("คล้ายจริง", "khlaiching"), ("เหมือนมั่น", "mueanman"), ("วาดวงศ์", "watwong"),
)  # fmt: skip

PLACES: Final[tuple[tuple[str, str, str, str, str, str, str, str], ...]] = (
    ("0698", "เทศบาลเมืองสมมุติ", "060101", "ในเมืองสมมุติ", "0601", "เมืองสมมุติบุรี", "06", "สมมุติบุรี"),
    ("0697", "เทศบาลตำบลจำลอง", "060205", "จำลองเหนือ", "0602", "จำลอง", "06", "สมมุติบุรี"),
    ("0603", "อำเภอตัวอย่าง", "060301", "ตัวอย่าง", "0603", "ตัวอย่าง", "06", "สมมุติบุรี"),
    ("0798", "เทศบาลนครมายา", "070101", "ในมายา", "0701", "เมืองมายานคร", "07", "มายานคร"),
    ("0702", "อำเภอเสมือน", "070203", "เสมือนใต้", "0702", "เสมือน", "07", "มายานคร"),
    ("9798", "เทศบาลเมืองนิรนาม", "970102", "นิรนาม", "9701", "เมืองนิรนาม", "97", "นิรนาม"),
)
"""Registrar code and name; subdistrict, district and province, each code and name. The first is the demo's own."""

NATIONS: Final[tuple[Pair, ...]] = (("048", "เมียนมา"), ("056", "ลาว"), ("057", "กัมพูชา"), ("044", "จีน"))
"""Nationality codes as assumed for the sandbox; 099 is Thai."""

HOSPITALS: Final[dict[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "06": (("06701", "โรงพยาบาลสมมุติบุรี"), ("06021", "รพ.สต.จำลองเหนือ")),
    "07": (("07701", "โรงพยาบาลมายานคร"), ("07014", "ศูนย์บริการสาธารณสุขมายา")),
    "97": (("97701", "โรงพยาบาลนิรนาม"), ("97003", "รพ.สต.นิรนาม")),
}
"""Province code -> (hospital, primary care unit), each code and name."""
