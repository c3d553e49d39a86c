"""Makes a town's report of twenty pages, in English and in Chinese, with ten facts on ten of its pages, as PDF.

    python -m venv /tmp/typst && /tmp/typst/bin/pip install typst
    apt install fonts-wqy-zenhei
    /tmp/typst/bin/python scripts/documents/town_report.py

Every page is about one office of the town, and says the usual things of it, in an order of its own. What a question
asks for stands in one sentence of the whole report; the words around it stand on other pages, too.
`scripts/documents/planted_facts.py` and the tests ask for the facts.
"""

import random
from pathlib import Path
from typing import NamedTuple

from scripts.command_line import command_line

PLANTED = Path(__file__).resolve().parents[2] / "tests" / "documents" / "planted"


class Fact(NamedTuple):
    """A sentence on a page, what of it answers the questions, and these: short, long, with words in other forms."""

    page: int
    sentence: str
    answer: str
    questions: tuple[str, ...]


class Report(NamedTuple):
    """A report: its title, for each page the heading and the words for the sentences, the sentences, the facts."""

    title: str
    pages: tuple[tuple[str, str, str, str], ...]
    sentences: tuple[str, ...]
    facts: tuple[Fact, ...]

    def paragraphs(self, page: int) -> list[str]:
        """Return the paragraphs of a page, counted from 1."""
        _heading, place, people, work = self.pages[page - 1]
        order = random.Random(page)
        chosen = order.sample(self.sentences, len(self.sentences))
        texts = [one.format(place=place, people=people, work=work) for one in chosen]
        for fact in self.facts:
            if fact.page == page:
                texts.insert(order.randrange(3, len(texts) - 3), fact.sentence)
        blank = "" if self is CHINESE else " "
        return [blank.join(texts[start : start + 5]) for start in range(0, len(texts), 5)]


ENGLISH = Report(
    "Report of the Town of Marrow Quay on a Year of Its Offices",
    (
        ("The harbour office", "harbour", "pilots", "dredging"),
        ("The public library", "library", "librarians", "cataloguing"),
        ("The town theatre", "theatre", "stagehands", "rehearsing"),
        ("The swimming baths", "baths", "lifeguards", "cleaning"),
        ("The fire station", "fire station", "firefighters", "drilling"),
        ("The primary schools", "schools", "teachers", "teaching"),
        ("The bus company", "bus depot", "drivers", "timetabling"),
        ("The waterworks", "waterworks", "engineers", "filtering"),
        ("The market hall", "market hall", "stallholders", "trading"),
        ("The parks department", "parks", "gardeners", "planting"),
        ("The museum of the coast", "museum", "curators", "restoring"),
        ("The housing office", "housing office", "clerks", "letting"),
        ("The music school", "music school", "tutors", "practising"),
        ("The refuse collection", "depot", "collectors", "sorting"),
        ("The registry", "registry", "registrars", "recording"),
        ("The veterinary service", "surgery", "vets", "vaccinating"),
        ("The road maintenance", "road yard", "roadmenders", "resurfacing"),
        ("The youth centre", "youth centre", "helpers", "tutoring"),
        ("The observatory", "observatory", "astronomers", "observing"),
        ("The cemetery", "cemetery", "wardens", "mowing"),
    ),
    (
        "The {place} opened its doors on all days of the year but for the public holidays.",
        "Its {people} received more visitors than in the year before, most of them in the summer months.",
        "The work of {work} took up the greater part of the winter, as it always has.",
        "A new roof was considered for the {place}, and put off once more for lack of money.",
        "The council thanked the {people} in a short ceremony, with cake and a speech by the mayor.",
        "Costs rose a little, chiefly those of heating, while the income from fees stayed where it was.",
        "Two of the {people} retired; their posts were filled by the end of the autumn.",
        "Complaints about the {place} were few, and nearly all of them were about the opening hours.",
        "The committee visited the {place} in spring and found everything in good order.",
        "For {work}, a machine was borrowed from a neighbouring town and returned undamaged.",
        "The telephones of the {place} were out of order for a weekend, which nobody seems to have noticed.",
        "An afternoon for families at the {place} was so well attended that it will be repeated.",
        "The {people} asked for a room in which to eat their sandwiches, and have been promised one.",
        "As to {work}, the rules of the ministry have changed, and the forms have become longer.",
        "Insurance was renewed for the {place} on the terms of the year before.",
        "Schoolchildren came to the {place} in groups and drew what they saw there.",
        "The {people} attended a course in the county town and brought back a binder of notes.",
        "The windows of the {place} were painted, and its steps were mended after the frost.",
        "The greatest worry of the {people} remains the stairs, which are too steep for many.",
        "The chief of the {place} expects the coming year to be much like this one.",
        "Volunteers helped with {work} on several Saturdays and were given soup.",
        "A survey among visitors of the {place} was begun but could not be evaluated in time.",
        "The keys of the {place} were counted, and two of them are missing.",
        "In the council, {work} was spoken of twice, both times with approval.",
    ),
    (
        Fact(
            1,
            "Since March the harbourmaster has been Odile Ferrant, who came from the lightship service.",
            "Odile Ferrant",
            (
                "Who is the harbourmaster?",
                "Since I have to write a letter to the harbourmaster of that town, could you please tell me what the name is?",
                "names of harbourmasters",
            ),
        ),
        Fact(
            3,
            "The curtain of the stage tore on the second evening of a comedy and was replaced for 7,340 crowns.",
            "7,340 crowns",
            (
                "What did replacing the torn curtain cost?",
                "I remember that something happened to the curtain in the middle of a comedy, so how much was paid for another one?",
                "costs of replacement curtains",
            ),
        ),
        Fact(
            5,
            "The longest fire of the year burned in a warehouse of cork and was put out after thirty-one hours.",
            "thirty-one hours",
            (
                "How long did the warehouse burn?",
                "Can you find out for me how many hours it took until the fire that burned in the cork warehouse was put out at last?",
                "burning warehouses",
            ),
        ),
        Fact(
            8,
            "A sample taken in June held 0.4 milligrams of manganese, which is twice the permitted amount.",
            "0.4 milligrams",
            (
                "How much manganese was measured?",
                "I am worried about what comes out of my tap; does it say anywhere how much manganese was in the sample they took?",
                "permitted amounts of manganese",
            ),
        ),
        Fact(
            9,
            "Stall seventeen, long empty, was let to a family that sells smoked eel.",
            "Stall seventeen",
            (
                "Where is smoked eel sold?",
                "My grandmother would like to buy some eel that was smoked the old way, so at which stall would she have to ask?",
                "selling eels",
            ),
        ),
        Fact(
            11,
            "The most visited exhibit was the whale's jawbone that a storm had uncovered at Sallow Point.",
            "Sallow Point",
            (
                "Where was the jawbone found?",
                "We were told by friends that there is a jawbone of a whale to be seen; at what place had the storm uncovered it?",
                "storms uncovering whales",
            ),
        ),
        Fact(
            13,
            "The bassoon stolen in 1998 came back by post from Lisbon, without a letter.",
            "Lisbon",
            (
                "From where did the stolen bassoon come back?",
                "There is a story about an instrument, a bassoon I believe, that a thief had taken; from which city was it posted?",
                "thefts of bassoons",
            ),
        ),
        Fact(
            16,
            "Against rabies, 1,126 dogs were vaccinated, and one ferret.",
            "1,126 dogs",
            (
                "How many dogs were vaccinated against rabies?",
                "For a statistic that I have to hand in tomorrow I need the number of all dogs that got a vaccination against rabies.",
                "rabies vaccinations of dogs",
            ),
        ),
        Fact(
            17,
            "The potholes of Tanner Street were filled with a mixture of crushed mussel shells.",
            "mussel shells",
            (
                "What were the potholes filled with?",
                "Living in Tanner Street myself, I would very much like to know what it was that they filled all those potholes with.",
                "filling a pothole",
            ),
        ),
        Fact(
            19,
            "On the ninth of November a comet was discovered from the dome and is to be named after its cleaner, Ada Brill.",
            "Ada Brill",
            (
                "After whom will the comet be named?",
                "It must have been somewhere in November that a comet was discovered, and whose name, if I may ask, will it be given?",
                "discovering comets",
            ),
        ),
    ),
)

CHINESE = Report(
    "青石镇各部门年度工作报告",
    (
        ("港务所", "港口", "引航员", "疏浚"),
        ("图书馆", "图书馆", "馆员", "编目"),
        ("镇剧院", "剧院", "舞台工人", "排练"),
        ("游泳馆", "游泳馆", "救生员", "清洗"),
        ("消防站", "消防站", "消防员", "演练"),
        ("小学", "小学", "教师", "教学"),
        ("公交公司", "车场", "司机", "排班"),
        ("自来水厂", "水厂", "工程师", "过滤"),
        ("菜市场", "市场", "摊主", "买卖"),
        ("园林处", "公园", "园丁", "种植"),
        ("海岸博物馆", "博物馆", "讲解员", "修复"),
        ("房管所", "房管所", "办事员", "出租"),
        ("音乐学校", "音乐学校", "琴师", "练习"),
        ("环卫站", "环卫站", "清洁工", "分拣"),
        ("户籍科", "户籍科", "登记员", "登记"),
        ("兽医站", "兽医站", "兽医", "防疫"),
        ("养路队", "料场", "养路工", "铺路"),
        ("青年之家", "青年之家", "辅导员", "辅导"),
        ("天文台", "天文台", "观测员", "观测"),
        ("陵园", "陵园", "管理员", "除草"),
    ),
    (
        "除法定节假日以外，{place}全年照常开放。",
        "{people}接待的来访者比上一年多，其中大部分在夏天。",
        "和往年一样，{work}工作占去了冬天的大半时间。",
        "{place}原本打算换一个新屋顶，因为经费不够又推迟了。",
        "镇里为{people}举行了简短的答谢会，镇长讲了话，还准备了点心。",
        "支出略有增加，主要是取暖费，收费方面的收入与上一年持平。",
        "有两名{people}退休，空出的岗位在秋末之前已经补上。",
        "对{place}的投诉很少，几乎都与开放时间有关。",
        "委员会春天到{place}检查，认为一切正常。",
        "为了{work}，从邻镇借来一台机器，用完后完好归还。",
        "{place}的电话有一个周末不通，好像没有人发觉。",
        "在{place}举办的家庭日来了很多人，以后还要再办。",
        "{people}希望有一间吃午饭的屋子，镇里已经答应。",
        "关于{work}，上级的规定有变动，表格比以前更长。",
        "{place}的保险按上一年的条件续保。",
        "学生们分批来到{place}，画下了自己看见的东西。",
        "{people}到县里参加培训，带回厚厚一本笔记。",
        "{place}的窗户重新刷了漆，冻坏的台阶也修好了。",
        "{people}最担心的仍然是楼梯，对许多人来说太陡。",
        "{place}的负责人预计，来年的情形与今年差不多。",
        "志愿者有几个星期六来帮忙{work}，中午有热汤喝。",
        "{place}做过一次来访者调查，结果还没有来得及整理。",
        "清点{place}的钥匙时，发现少了两把。",
        "镇里的会议两次谈到{work}，都表示肯定。",
    ),
    (
        Fact(
            1,
            "三月起，港务长由来自灯船队的苏白鹭担任。",
            "苏白鹭",
            ("港务长是谁？", "我要给镇上的港务长写一封信，麻烦你看一下，现在担任这个职务的人究竟叫什么名字？"),
        ),
        Fact(
            3,
            "喜剧上演的第二晚，大幕撕裂，更换花去七千三百四十元。",
            "七千三百四十元",
            ("更换大幕花了多少钱？", "听说有一次演喜剧的时候舞台的大幕坏了，后来换一块新的一共用掉了多少钱？"),
        ),
        Fact(
            5,
            "全年持续最久的火灾发生在软木仓库，三十一个小时后才被扑灭。",
            "三十一个小时",
            ("软木仓库的火烧了多久？", "请帮我查一查，那个堆放软木的仓库着火以后，一共过了多少个小时才把火扑灭？"),
        ),
        Fact(
            8,
            "六月的一份水样含锰零点四毫克，是允许值的两倍。",
            "零点四毫克",
            ("水样里的锰有多少？", "我有点担心家里水龙头出来的水，这里面有没有写当时取的水样里面含锰到底是多少？"),
        ),
        Fact(
            9,
            "空置多年的十七号摊位租给了一户卖熏鳗鱼的人家。",
            "十七号摊位",
            ("熏鳗鱼在哪里卖？", "我奶奶很想买一点老做法的熏鳗鱼，请问她应该到几号摊位去找那一户人家？"),
        ),
        Fact(
            11,
            "参观人数最多的展品是风暴在柳岬冲出来的鲸鱼颌骨。",
            "柳岬",
            ("鲸鱼颌骨是在哪里发现的？", "朋友告诉我们这里可以看到一块鲸鱼的颌骨，它当初是在什么地方被风暴冲出来的？"),
        ),
        Fact(
            13,
            "一九九八年被偷走的巴松管从里斯本寄了回来，没有附信。",
            "里斯本",
            ("巴松管是从哪里寄回来的？", "好像有一件乐器以前被人偷走了，应该是巴松管，后来它是从哪一座城市寄回来的？"),
        ),
        Fact(
            16,
            "全年有一千一百二十六只狗接种了狂犬疫苗，另有一只雪貂。",
            "一千一百二十六只狗",
            ("多少只狗接种了狂犬疫苗？", "明天我要交一份统计表，需要知道这一年里面打过狂犬疫苗的狗一共有多少只。"),
        ),
        Fact(
            17,
            "制革街的坑洼是用碾碎的贻贝壳混合料填平的。",
            "贻贝壳",
            ("坑洼是用什么填平的？", "我自己就住在制革街，很想知道他们究竟是拿什么东西把路上的那些坑洼填平的。"),
        ),
        Fact(
            19,
            "十一月九日，从圆顶里发现了一颗彗星，将以清洁工艾达的名字命名。",
            "艾达",
            ("彗星将以谁的名字命名？", "大概是在十一月的时候有人发现了一颗彗星，请问以后它要用哪个人的名字来命名？"),
        ),
    ),
)


def pdf(report: Report) -> bytes:
    """Return a report as PDF, a page for each office."""
    # Only who makes the files has Typst.
    from pdf_corpus import CHINESE_FONT, compiled

    language = f'lang: "zh", region: "cn", font: "{CHINESE_FONT}"' if report is CHINESE else 'lang: "en"'
    parts = ['#set page(paper: "a4", numbering: "1")', f"#set text(size: 11pt, {language})", "#set par(justify: true)"]
    parts.append(f"#align(center, text(size: 17pt)[{report.title}])")
    for page, (heading, *_words) in enumerate(report.pages, 1):
        parts += [f"= {heading}", *report.paragraphs(page), "#pagebreak(weak: true)"]
    return compiled("\n\n".join(parts))


def main() -> None:
    """Make the two files."""
    command_line(__doc__).parse_args()
    for name, report in (("report-en", ENGLISH), ("report-zh", CHINESE)):
        (PLANTED / f"{name}.pdf").write_bytes(pdf(report))


if __name__ == "__main__":
    main()
