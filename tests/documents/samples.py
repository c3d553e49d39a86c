"""Texts as people have them, each with the encoding it is in: short ones and long ones."""

from typing import NamedTuple


class Sample(NamedTuple):
    """A text, and the name by which the program calls its encoding."""

    name: str
    codec: str
    text: str


_GERMAN = "Sehr geehrte Damen und Herren,\nfür die schöne Küche möchten wir uns herzlich bedanken. Die Größe passt.\n"
_FRENCH = "Ça va très bien, merci. L'été dernier, nous étions à la plage ; le garçon a mangé une crêpe.\n"
_SPANISH = "¿Qué día es mañana? El niño comió una piña y después se acostó.\n"
_PORTUGUESE = "A reunião começa às três, não às quatro. Atenção: a inscrição termina amanhã.\n"
_SWEDISH = "Är det sant att han inte åt något på hela dagen? Räksmörgåsen var för stor.\n"
_POLISH = "Zażółć gęślą jaźń. Dziękuję za wiadomość, odpowiedź przyślę później.\n"
_CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Děkuji, přijdu příští týden.\n"
_RUSSIAN = "Встреча начнётся в три часа. Пожалуйста, подготовьте отчёт к пятнице.\n"
_CHINESE = "会议记录：张三说下周五之前要交报告，李四同意。会议于下午三点结束。\n"
_TRADITIONAL = "會議記錄：張三說下週五之前要交報告，李四同意。會議於下午三點結束。\n"
_JAPANESE = "会議は三時からです。資料を用意してください。よろしくお願いします。\n"
_KOREAN = "회의는 세 시에 시작합니다. 자료를 준비해 주세요. 감사합니다.\n"

GUESSED = [
    Sample("Windows-1252", "cp1252", "für die Küche"),
    Sample("Windows-1252", "cp1252", "Größe"),
    Sample("Windows-1252", "cp1252", "Übung"),
    Sample("Windows-1252", "cp1252", "Name;Straße;Ort\nMüller;Hauptstraße 5;Köln\n"),
    Sample("Windows-1252", "cp1252", _GERMAN),
    Sample("Windows-1252", "cp1252", "Don’t"),
    Sample("Windows-1252", "cp1252", "£5 and €6"),
    Sample("Windows-1252", "cp1252", "It costs €20"),
    Sample("Windows-1252", "cp1252", "25 °C"),
    Sample("Windows-1252", "cp1252", "§ 5 Abs. 2"),
    Sample("Windows-1252", "cp1252", "© 2024 Müller"),
    Sample("Windows-1252", "cp1252", "naïve café"),
    Sample("Windows-1252", "cp1252", "“Hello,” she said – and left…"),
    Sample("Windows-1252", "cp1252", "été"),
    Sample("Windows-1252", "cp1252", "garçon"),
    Sample("Windows-1252", "cp1252", "tête"),
    Sample("Windows-1252", "cp1252", _FRENCH),
    Sample("Windows-1252", "cp1252", "mañana"),
    Sample("Windows-1252", "cp1252", _SPANISH),
    Sample("Windows-1252", "cp1252", "não"),
    Sample("Windows-1252", "cp1252", "Atenção"),
    Sample("Windows-1252", "cp1252", _PORTUGUESE),
    Sample("Windows-1252", "cp1252", "räksmörgås"),
    Sample("Windows-1252", "cp1252", _SWEDISH),
    Sample("Windows-1252", "cp1252", "Smørrebrød på bordet"),
    Sample("Windows-1252", "cp1252", "hyvää päivää"),
    Sample("Windows-1252", "cp1252", "perché"),
    Sample("Windows-1252", "iso8859_1", "für die Küche"),
    Sample("ISO-8859-15", "iso8859_15", "prix: 25 €"),
    Sample("ISO-8859-15", "iso8859_15", "Œuvre complète à 12 €"),
    Sample("Mac-Roman", "mac_roman", "für die Küche"),
    Sample("Mac-Roman", "mac_roman", _FRENCH),
    Sample("CP850", "cp850", _GERMAN),
    Sample("CP850", "cp850", _PORTUGUESE),
    Sample("GB18030", "gb18030", "你好"),
    Sample("GB18030", "gb18030", "测试"),
    Sample("GB18030", "gb18030", "中文"),
    Sample("GB18030", "gb18030", "北京"),
    Sample("GB18030", "gb18030", "联通"),
    Sample("GB18030", "gb18030", "目录"),
    Sample("GB18030", "gb18030", "文件"),
    Sample("GB18030", "gb18030", "销售额"),
    Sample("GB18030", "gb18030", "价格：5元"),
    Sample("GB18030", "gb18030", "今天天气很好"),
    Sample("GB18030", "gb18030", "姓名,电话"),
    Sample("GB18030", "gb18030", "姓名,电话\n张三,13800000000\n李四,13900000000\n"),
    Sample("GB18030", "gb18030", "# 计算总和\ndef add(a, b):\n    return a + b  # 返回结果\n"),
    Sample("GB18030", "gb18030", "int count = 0; // 变量"),
    Sample("GB18030", "gbk", _CHINESE),
    Sample("Big5", "big5", "你好"),
    Sample("Big5", "big5", "中文"),
    Sample("Big5", "big5", "謝謝"),
    Sample("Big5", "big5", "姓名,電話"),
    Sample("Big5", "big5", "臺北市"),
    Sample("Big5", "big5", _TRADITIONAL),
    Sample("Shift-JIS", "shift_jis", "こんにちは"),
    Sample("Shift-JIS", "shift_jis", "日本語"),
    Sample("Shift-JIS", "shift_jis", "東京都"),
    Sample("Shift-JIS", "shift_jis", "カメラ"),
    Sample("Shift-JIS", "shift_jis", "氏名,電話番号"),
    Sample("Shift-JIS", "cp932", "①番の資料"),
    Sample("Shift-JIS", "shift_jis", _JAPANESE),
    Sample("EUC-JP", "euc_jp", "こんにちは"),
    Sample("EUC-JP", "euc_jp", "日本語"),
    Sample("EUC-JP", "euc_jp", _JAPANESE),
    Sample("EUC-KR", "euc_kr", "안녕하세요"),
    Sample("EUC-KR", "euc_kr", "한국어"),
    Sample("EUC-KR", "euc_kr", "이름,전화"),
    Sample("EUC-KR", "cp949", "똠방각하"),
    Sample("EUC-KR", "euc_kr", _KOREAN),
    Sample("Windows-1250", "cp1250", "Łódź"),
    Sample("Windows-1250", "cp1250", "dziękuję"),
    Sample("Windows-1250", "cp1250", _POLISH),
    Sample("Windows-1250", "cp1250", "děkuji"),
    Sample("Windows-1250", "cp1250", _CZECH),
    Sample("Windows-1250", "cp1250", "Köszönöm szépen, jó éjszakát. Őszintén sajnálom.\n"),
    Sample("ISO-8859-2", "iso8859_2", _POLISH),
    Sample("ISO-8859-2", "iso8859_2", _CZECH),
    Sample("Windows-1251", "cp1251", "Привет"),
    Sample("Windows-1251", "cp1251", "МОСКВА"),
    Sample("Windows-1251", "cp1251", "Имя;Телефон"),
    Sample("Windows-1251", "cp1251", "Дякую за допомогу"),
    Sample("Windows-1251", "cp1251", _RUSSIAN),
    Sample("KOI8-R", "koi8_r", "Привет"),
    Sample("KOI8-R", "koi8_r", "спасибо"),
    Sample("KOI8-R", "koi8_r", _RUSSIAN),
    Sample("CP866", "cp866", "Привет, мир"),
    Sample("CP866", "cp866", _RUSSIAN),
    Sample("Windows-1253", "cp1253", "Καλημέρα"),
    Sample("Windows-1254", "cp1254", "Teşekkürler, iyi günler"),
    Sample("Windows-1255", "cp1255", "שלום עולם"),
    Sample("Windows-1256", "cp1256", "مرحبا بالعالم"),
    Sample("Windows-1257", "cp1257", "Ačiū labai"),
    Sample("TIS-620", "cp874", "สวัสดีครับ"),
]

# Those whose beginning or whose bytes leave no doubt; UTF-8 has nothing to be said about it.
CERTAIN = [
    Sample("", "utf_8", _CHINESE),
    Sample("", "utf_8", "é"),
    Sample("", "utf_8", "ё"),
    Sample("", "utf_8_sig", _GERMAN),
    Sample("", "utf_16", _CHINESE),
    Sample("", "utf_32", "你好"),
    Sample("UTF-16LE", "utf_16_le", "hi"),
    Sample("UTF-16LE", "utf_16_le", _RUSSIAN),
    Sample("UTF-16LE", "utf_16_le", "你好，世界。"),
    Sample("UTF-16BE", "utf_16_be", "hello world"),
    Sample("UTF-16BE", "utf_16_be", _CHINESE),
    Sample("UTF-32LE", "utf_32_le", "hi there"),
    Sample("ISO-2022-JP", "iso2022_jp", _JAPANESE),
]
