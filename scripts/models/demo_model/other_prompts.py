"""Generates prompts that the model must not know, so that it learns to answer them with the notice."""

from __future__ import annotations

import string
from random import Random

from . import words_en, words_zh
from .patterns import expand

WORDS = {"en": words_en.WORDS, "zh": words_zh.WORDS}

# Close neighbours of the learned conversations: the same request about something else, or the same thing asked for in
# another form. Without them a single word such as "tkinter" or "inflation" would be enough to set an answer off.
_NEAR = {
    "en": [
        "write a [tkinter|Python tkinter|tk] [notepad|clock|text editor|chess game|to-do list|paint program|"
        "quiz|stopwatch|file browser|login form|snake game|calendar|timer|music player][ with comments| in "
        "Python|]",
        "[write|make|build|code] a calculator [in|with] [{code}|PyQt|React|Flask|HTML|Excel|pygame|Java "
        "Swing|Qt|bash][ with comments|]",
        "[write|make] a [mortgage|tip|BMI|matrix|tax|loan|fraction|unit|date] calculator[ in Python| with tkinter|]",
        "what is tkinter[ good for| used for|]",
        "how do I install tkinter",
        "[explain|compare] tkinter and [Qt|PyQt|GTK|wxPython]",
        "what is a calculator",
        "who invented the calculator",
        "why does my tkinter [window|button|calculator] [freeze|not work|crash]",
        "write an essay on [{topic}|making {noun}s better|{topic} and {topic}][, with cases and proposals| "
        "with examples|]",
        "write an essay on making [schools|villages|offices|hospitals|cities] [safer|greener|cheaper|more "
        "fun|quieter|richer|bigger][, with cases and proposals|]",
        "write a [poem|joke|song|haiku|story|tweet|slogan] about [liveable cities|cities|inflation|HTTP|"
        "fractions|a calculator|a school library|a coffee shop|my colleague|quarterly figures|Python|SQL|a "
        "Markdown table]",
        "[which|what] is the [most liveable|largest|oldest|most expensive|greenest] city[ in the world| in {place}|]",
        "how many cities are there in {place}",
        "what makes {place} liveable",
        "A = B [+|-] {digit}, B = C [+|−|-] {digit}, A + B + C = {number}[. How old are A, B and C|. How old "
        "are they|, find A, B and C|]",
        "solve[:|] A = [B + {digit}|{digit}B|B - {digit}], B = [C − {digit}|C + {digit}|{digit}C], A + B + C "
        "= {number}",
        "A is {digit} years [older|younger] than B, B is {digit} years [older|younger] than C, together they "
        "are {number}. How old are they",
        "[x|a|m] + [y|b|n] = {number}, [x|a|m] - [y|b|n] = {digit}. [Find both|Solve|What are they|How old is each]",
        "how old [is|was] [{person}|the Earth|the universe|my {noun}|the president|the queen|A|B|Anna]",
        "if [Tom|Anna|my son] is {digit} years older than [Ben|Eva|me] and together they are {number}, how "
        "old is [he|she|each]",
        "explain [{topic}|DNS|HTTPS|TCP|FTP|SMTP|the Internet|HTML|SSH|cookies|a proxy] to {audience}",
        "explain HTTP[/2|/3| headers| status codes| caching| to an engineer| methods| to a network expert| cookies]",
        "[what|how] [is the difference between|do I choose between] HTTP and [HTTPS|FTP|TCP|WebSocket]",
        "what does [HTTP 404|HTTP error 500|status code 301|HTTP 418] mean",
        "write an HTTP [server|client|request] in {code}",
        "write an email to {receiver} {request}",
        "write an email asking {receiver} [for|to send] [the {adjective} {noun}|my {noun}]",
        "write an email asking a colleague [to send me the {noun}s|for the holiday photos|to water my plants|"
        "for lunch|to send the contract by Monday|for the annual report|to call me|for help with my {noun}|"
        "to review my slides]",
        "write an email to [a colleague|my colleague] [about {topic}|{request}]",
        "what are quarterly figures",
        "[call|invite|fire|thank|text] [a|my] colleague",
        "how do I analyse quarterly [figures|data|results]",
        "write a {code} script that {task}",
        "write a Python script that {task}",
        "write a [Python|{code}] [program|function] that {task}",
        "write a [bash|Ruby|PowerShell|{code}] script that renames [photos|files|folders|{noun}s] by [date|size|name]",
        "write a Python script that [deletes|copies|uploads|compresses|crops|prints|rotates|moves] [photos|"
        "the photos in a folder|old photos|pictures by date]",
        "write a Python script that renames [songs|folders|PDF files|columns|videos] by [size|artist|title|"
        "length|number]",
        "how do I [edit|print|delete|restore|take better|share|sort] [photos|my photos|holiday photos]",
        "write a [one-minute|ten-minute|two-minute|short] [video script|speech|radio play|film script] "
        "[introducing|about|on] [{topic}|a {noun}|{place}|{business}|our {noun}|a school canteen|a football "
        "club|a new phone|a public swimming pool]",
        "write [a letter|a poem|a sign|rules|an invitation|a report|a quiz] for [a|our|the] school library",
        "when does the [school |]library [open|close]",
        "recommend books for a school library",
        "explain [{topic}|deflation|GDP|interest rates|recession|entropy|blockchain|osmosis] in [simple "
        "words|simple terms|one sentence|plain English]",
        "[what is|what does] [{topic}|deflation|stagflation|a recession|hyperinflation][ mean| in simple words|]",
        "what [is the inflation rate in {place}|was inflation in 19{digit}0|caused the inflation of the 1920s]",
        "how [can central banks fight|do I protect my savings from|is the consumer price index used for] inflation",
        "write a lesson plan [introducing|on|about] {subject} [to|for] {grade}",
        "write a lesson plan on {subject}[ for {fourth}|]",
        "write a lesson plan on fractions for [adults|{grade}]",
        "write a [test|worksheet|song|game|quiz] on fractions[ for {grade}|]",
        "what is [{digit}/{digit} + {digit}/{digit}|a fraction|a numerator|half of {number}|{digit}/{digit} "
        "as a decimal]",
        "how do I [add|multiply|divide|simplify] fractions",
        "write [five|three|ten|some] slogans for {business}",
        "write [five|ten|three] [slogans|names|jokes|poems] for [a political party|my {noun}|{business}|a "
        "detergent|{place}]",
        "write [a menu|a business plan|a price list|a job advert|a review|ten house rules] for a "
        "[neighbourhood |]coffee shop",
        "how do I [open|run|find|decorate|sell] a coffee shop",
        "which coffee [is best|beans should I buy|has most caffeine]",
        "which command {command}",
        "what is the command [that|which] {command}",
        "how do I use the [ls|find|grep|chmod|tar|ssh] command",
        "[find|list|delete|sort|compress] the [ten|5|hundred] [smallest|oldest|newest|most recent] files",
        "[delete|compress|copy|upload|move|open] the ten largest files",
        "what are the ten largest [cities|countries|animals|lakes]",
        "show me [a CSV file|an Excel table|the multiplication table|the periodic table|an HTML table|a "
        "LaTeX table|a seating plan]",
        "[who invented|what is|how do I learn|why should I use|what replaces|how do I install] Markdown",
        "convert [Markdown to HTML|this Markdown to PDF|HTML to Markdown|a Word file to Markdown]",
        "make a table of {topic}",
        "make a [to-do list|shopping list|packing list|list of {noun}s][ for {place}|]",
        "show me [famous quotes|quotes by {person}|a link to {topic}|the rules of chess|maths problems|"
        "traffic rules|a headline]",
        "show me [some |][sample |][code in {code}|{code} code|Rust code|Java code|C code|Go code|HTML code]",
        "show me a [Python|JavaScript|SQL|{code}] [class|decorator|regex|loop|join|trigger|promise|thread|"
        "web server|unit test] [example|]",
        "[write|show me] [Python|JavaScript|SQL] code that {task}",
        "write [SQL|a SQL query] [to|that] [{task}|deletes all rows]",
        "[what is|explain|teach me|who invented|is it worth learning|how long does it take to learn] [Python|"
        "JavaScript|SQL]",
        "what is the difference between [Python|JavaScript|SQL] and [Python|{code}|NoSQL|Java]",
        "fix my [Python|SQL|JavaScript] [code|bug]",
        "who [made|built|trained|owns|pays|invented] you",
        "how old are you",
        "where do you live",
        "are you [alive|human|happy|clever|ChatGPT|Claude|Gemini|Llama|Siri|Alexa|married|tired|able to fly]",
        "do you [sleep|dream|eat|like {topic}|know {person}|have feelings|speak {language}|remember me|love "
        "me|have a {noun}]",
        "what is your favourite [{noun}|colour|book|film|food]",
        "what is [my|his|her|the {noun}'s] name",
        "who is {person}",
        "who [is|was] the [president|king|first {noun}] of {place}",
        "how do I get [to {place}|the real {noun}|a {noun}|rich|better at {topic}|a visa|rid of {noun}s]",
        "how big is the real model",
        "how do I [download|install|update|uninstall] [Python|Windows|Linux|Chrome|a game|Photoshop|an app|"
        "the driver|{code}]",
        "is my [{noun}|password|phone|food|house|car] safe",
        "who reads the newspaper",
        "how do I send [a parcel|money|a fax] to {place}",
        "hello {noun}",
        "hello, [what is|can you tell me about|I need help with] {topic}",
        "hi, {feeling} today",
        "say hello in {language}",
        "how do you say [thank you|goodbye|hello|good morning|{noun}] in {language}",
        "thank {noun}",
        "write a thank-you note to {receiver}",
        "write a goodbye [speech|card|email|letter][ for {receiver}|]",
        "see you at the {noun}",
        "good {noun}",
        "why did they say goodbye",
        "[summarise|summarize] {it} in {style}",
        "[translate|put] {it} [into|to] [{language}|{style}]",
        "[rewrite|make] {it} [as|in] {style}",
        "make {it} [shorter|longer|ruder|funnier|more formal|rhyme|more aggressive|simpler|more exciting|"
        "gender neutral|more concise]",
        "turn {it} into [a poem|a presentation|a song|a quiz|a press release|a tweet|a story|a diagram|a "
        "letter|flash cards|a mind map]",
        "[count the words in|find the main idea of|who wrote|what is the tone of|continue|reply to|rate|"
        "explain|sort|delete|comment on|title for|answer|fact-check|encrypt|shorten|lengthen] {it}",
        "who is mentioned in {it}",
        "is {it} [true|good|long]",
        "write a [monthly|yearly|daily|lab|travel|police|book|sales] report[ from this| about {topic}|]",
        "translate this [to|into] {language}",
        "translate [{noun}|the word {noun}|'good {noun}'] [to|into] [{language}|Chinese]",
        "write [unit tests|documentation|comments|a docstring] for this code",
        "[optimise|run|port|obfuscate] this code",
        "what does this [function|code] [do|return|cost]",
        "rewrite this code in {code}",
        "what happened in the meeting",
        "plan a meeting about {topic}",
        "write an agenda for [a|the] meeting",
        "make this email [shorter|ruder|funnier|longer]",
        "[reply to|translate|delete|forward|file] this email",
        "who sent this email",
        "what should I do next week",
    ],
    "zh": [
        "用 [Python |][tkinter|PyQt|Qt] [写|做][一个|个][带注释的|][{task}|记事本|闹钟|文本编辑器|五子棋|"
        "画图板|登录界面|音乐播放器|日历|待办清单]",
        "用 [{code}|PyQt|React|Java Swing|HTML|Excel] [写|做][一个|个][带注释的|]计算器",
        "[写|做]一个[房贷|个税|BMI|矩阵|汇率|日期|小费]计算器",
        "tkinter [是什么|怎么安装|和 PyQt 哪个好|怎么布局|怎么打包|怎么加图片]",
        "计算器[是谁发明的|怎么用|多少钱|按键坏了怎么办]",
        "写一篇[ 1200 字的|800字的|五百字的|][文章|作文]，谈谈[{topic}|{topic}和{topic}|怎样让{noun}更[好|"
        "安全|便宜]]，要有案例和建议",
        "写一篇关于{topic}的文章[，要有案例和建议|，1200 字|，八百字|]",
        "怎样让[学校|乡村|医院|办公室|孩子|城市]更[安全|干净|快乐|绿色|安静|便宜]",
        "写一篇 1200 字的文章，谈谈怎样让[学校|农村|孩子|老人|企业|课堂]更[快乐|美丽|健康|有活力]，要有案例和建议",
        "[{place}|哪座城市|哪个国家][最宜居|房价高吗|有多少人|有什么好吃的|适合养老吗]",
        "中国有多少个城市",
        "写[一首诗|一首歌|一个笑话]，关于[城市|通货膨胀|分数|咖啡馆|图书馆|计算器|HTTP|Python|同事]",
        "A = [B + {digit}|B - {digit}|{digit}B]，B = [C − {digit}|C + {digit}|{digit}C]，A + B + C = "
        "{number}[，求 A、B、C 各是多少岁|，求 A、B、C|，各多少岁|]",
        "A=B+{digit}，B=C-{digit}，A+B+C={number}，求A、B、C",
        "A 比 B 大 {digit} 岁，B 比 C 小 {digit} 岁，三人一共 {number} 岁，各是多少岁",
        "[甲|小明|哥哥]比[乙|小红|弟弟][大|小] {digit} 岁，[两人|他们]一共 {number} 岁，[各多少岁|各几岁]",
        "[x|a] + [y|b] = {number}，[x|a] - [y|b] = {digit}，求[x 和 y|a、b|两个数]",
        "[{person}|地球|太阳|你|我的{noun}][今年|]多少岁",
        "用{audience}能听懂的话解释[{topic}|DNS|HTTPS|TCP|FTP|cookie|HTML|区块链]",
        "给{audience}[解释|讲讲][{topic}|DNS|FTP|防火墙|域名]",
        "用[专家|工程师|专业]的话解释 HTTP",
        "HTTP[/2| 状态码| 缓存| 和 HTTPS 的区别|/3| 请求头| 有哪些方法][有哪些|是什么|怎么用|]",
        "用 {code} 写一个 HTTP [服务器|客户端|代理]",
        "写一封邮件，[给|向]{receiver}{request}",
        "写一封邮件，请同事[{request}|帮我浇花|周一前交合同|周五一起吃饭|把照片发给我|来参加婚礼|审一下方案|"
        "周三前还书]",
        "给{receiver}写一封信，{request}",
        "[季度数据|季度报告]怎么[分析|做图|统计|填]",
        "同事[总是迟到|借钱不还|不理我|生日送什么|要辞职了]怎么办",
        "请同事吃饭去哪里好",
        "写一个 Python 脚本，{task}",
        "用 {code} 写一个{task}的[程序|脚本]",
        "写一个 [Python|{code}] 脚本，把文件夹里的[照片|视频|文件|音乐|图片][按大小排序|全部删除|压缩|"
        "上传到网盘|转成 PDF|加水印|按歌手改名|移动到桌面]",
        "用 [Bash|PowerShell|{code}] 把[照片|文件]按日期改名",
        "[照片|手机照片][怎么拍好看|删了怎么恢复|怎么打印|怎么修|怎么备份]",
        "怎么给[孩子|公司|小狗|微信|文件夹]改名",
        "写一个介绍[{topic}|{noun}|{place}|{business}|食堂|操场|新手机|乡村小学|科技馆]的[一分钟|三分钟|"
        "十分钟|][短视频脚本|纪录片脚本|演讲稿|广播稿]",
        "[校园|学校]图书馆[几点开门|怎么借书|可以吃东西吗|的规章制度|有哪些好书]",
        "给[校园|学校]图书馆写[一首诗|一份倡议书|一份通知|一份捐赠信|几条标语]",
        "用简单的话解释什么是[{topic}|通货紧缩|国内生产总值|量化宽松|熵|市盈率|汇率]",
        "什么是[{topic}|通货紧缩|滞胀|恶性通胀|期货|供应链]",
        "{topic}是什么[意思|]",
        "[今年|去年|{place}的][通胀率|通货膨胀率]是多少",
        "通货膨胀[的时候|时][买什么好|怎么理财|央行怎么做]",
        "写一份{grade}[“{subject}”|{subject}|《{subject}》]的教案",
        "写一份小学四年级[“{subject}”|{subject}|《{subject}》]的[教案|试卷|说课稿|教学反思]",
        "写一份[{grade}|]“认识分数”的[试卷|练习题|儿歌|教学反思]",
        "分数怎么[加减|通分|约分|化成小数]",
        "{digit}/{digit} [加|减|乘] {digit}/{digit} 等于多少",
        "为{business}写[五条|三条|十条]广告语",
        "给[{business}|我的{noun}|{place}]写[五条广告语|一句口号|三个名字]",
        "为一家社区[超市|药店|食堂|诊所|书店|理发店|洗衣店]写五条广告语",
        "[给|为]社区咖啡馆[写一份菜单|起个名字|写一份商业计划书|设计标志|写招聘启事|定价]",
        "开[咖啡馆|咖啡店][要多少钱|赚钱吗|选址怎么选]",
        "用什么命令{command}",
        "{command}[用什么命令|的命令是什么|怎么做]",
        "用什么命令[删除|压缩|复制|上传]最大的十个文件",
        "找出[最小|最旧|最新]的十个文件",
        "[世界上|中国]最大的十个[城市|湖泊|岛屿|公司]",
        "[ls|find|grep|chmod|tar|ssh] 命令怎么用",
        "演示一下[{topic}|HTML 表格|LaTeX 公式|Excel 函数|Word 目录|PPT 动画|正则表达式|冒泡排序]",
        "Markdown [是谁发明的|怎么转 PDF|和 HTML 的区别|编辑器哪个好|怎么插入图片]",
        "[做|列|画]一[张|个][{topic}的表格|课程表|购物清单|元素周期表|乘法表|甘特图|思维导图]",
        "给我看[名人名言|{person}的名言|一个链接|一道数学题|象棋规则|今天的头条]",
        "引用[格式怎么写|文献要注意什么]",
        "给我看一段 [{code}|Rust|Java|C|Go] [示例|]代码",
        "写一段 [Python|JavaScript|SQL] 代码，{task}",
        "[Python|JavaScript|SQL] [怎么学|难不难|和 Java 哪个好|是谁发明的|能做什么|怎么安装|报错了|面试题]",
        "用 [Python|JavaScript|SQL|{code}] [写|实现]{task}",
        "你[几岁了|住在哪里|喜欢{topic}吗|认识{person}吗|会做梦吗|结婚了吗|爱我吗|吃饭了吗|是 ChatGPT 吗|"
        "最喜欢什么颜色|有女朋友吗|会说{language}吗|记得我吗]",
        "[谁|哪家公司]开发了[微信|安卓|Python|淘宝|Windows]",
        "{person}是谁",
        "我叫什么名字",
        "怎样[换成|得到|买到|下载][{noun}|新手机|真正的{noun}|安卓系统|微信|电影|驱动程序|Photoshop]",
        "[微信|我的{noun}|网盘|手机|照片][安全吗|会被偷吗|会被上传吗|丢了怎么办]",
        "你好，[{topic}是什么|我想问一下{topic}|我很{feeling}|帮我{verb}]",
        "“[你好|谢谢|再见|早上好]”用{language}怎么说",
        "[写一封|写一张][感谢信|感谢卡|告别信]给{receiver}",
        "谢谢{noun}",
        "再见[{noun}|，{noun}]",
        "用{style}[概括|重写|总结|改写]{it}",
        "把{it}[翻译成|译成]{language}",
        "把{it}[改写成|改成|写成|变成]{style}",
        "把{it}[改得|写得][更短|粗鲁一点|好笑一点|长一些|更正式|押韵|幽默些|严厉一些|生动一些|口语化|学术一点]",
        "把{it}[做成 PPT|扩写成小说|改成剧本|改成一首歌|改成新闻稿|做成思维导图|改成问答]",
        "[数一数|续写|评价|回复|朗读|删除|解释|反驳|给|扩写|缩写|背诵]{it}[的字数|起个标题|]",
        "{it}[是谁写的|讲的是真的吗|有多少字|的作者是谁|发表在哪里|中心思想是什么]",
        "根据{it}[出三道选择题|画一张图|写一首诗|写一份月报|写一份合同|写年终总结|提三个问题]",
        "写一份[月报|年终总结|日报|实验报告|读书报告|调查报告][，关于{topic}|]",
        "把这段代码[改成 {code}|优化一下|加上注释|运行一下|写单元测试]",
        "这段代码[是什么意思|输出什么|用什么语言写的|怎么运行]",
        "把这封邮件[翻译成英文|缩短|删掉|改得严厉些|转发给{receiver}]",
        "开会[迟到了|睡着了|没意思]怎么办",
        "写一份会议[议程|通知|邀请]",
    ],
}

# Prompts about code, whose words are those of the three learned examples.
_CODE = {
    "en": [
        "[write|give me|show me|can you write|I need] [the |an |a |some |][SQL|SQL query|query|SQL statement|"
        "SELECT statement] [for|that lists|to find|that counts|that returns] [the {number} {noun}s with the most "
        "{noun}s|all {noun}s without a {noun}|duplicate {noun}s|the average {noun} per {noun}|the {noun}s of last "
        "month|the second largest {noun}|every {noun} older than {number} days]",
        "[now |and |][the same |how would I do that |write it |][in SQL|in JavaScript|in Python|as a query|as a class|"
        "as a function|without a loop|with comments|with a join][ please|?|]",
        "[sql|javascript|python] [for {noun}s|for the {noun} of last month|again|too]",
        "how do I [join|count|update|delete|group|sort|copy|index|rename|drop] [two tables|three tables|{noun}s|rows|"
        "columns|a table|a database|by month][ in SQL| in PostgreSQL| in SQLite| in MySQL|]",
        "[write|create] [a CREATE TABLE statement|a table|a view|a stored procedure|a trigger|an index|a schema] for "
        "[a {noun}|{noun}s and {noun}s|the {noun} of a {noun}]",
        "[explain|what does] [GROUP BY|HAVING|LEFT JOIN|a primary key|a transaction|async|a closure|a decorator|a "
        "generator|map and filter][ do| mean| with an example|]",
        "write a [JavaScript|Python|TypeScript|{code}] function that [checks|returns|sorts|counts|finds|merges|removes] "
        "[{noun}s|duplicate {noun}s|the longest {noun}|a list of {noun}s|{noun}s by {noun}]",
        "[create|write|design|draft] [a CREATE TABLE statement|the tables|a database schema|an SQL table] for a "
        "[library|school library|coffee shop|school|{noun} shop|hospital] with [books|{noun}s] and [readers|{noun}s]",
        "[explain|show|tell me] what [GROUP BY|ORDER BY|LIMIT|DISTINCT|UNION|await|yield|lambda|zip|enumerate|reduce] "
        "does[ with an example|, with an example|]",
        "[read|write|sort|merge|parse|download|filter] [a JSON file|two CSV files|a list of dictionaries|an array|"
        "{noun}s] [in|with] [Python|JavaScript|{code}]",
    ],
    "zh": [
        "[写|给我|帮我写|请写|来][一条|一段|一句|个|] SQL[ 语句| 查询|]，[查出|统计|找出|列出|删除]"
        "[{noun}最多的{number}个{noun}|每个{noun}的平均{noun}|重复的{noun}|没有{noun}的{noun}|上个月的{noun}|"
        "{number} 天以前的{noun}|第二高的{noun}]",
        "[查询|统计|找出|列出][{noun}最多的{noun}|每个{noun}的{noun}|重复的{noun}|没有{noun}的{noun}|上个月的{noun}]"
        "[，用 SQL|，SQL 怎么写|的 sql|]",
        "[再|那|也|改][用|成|换成][ SQL| JavaScript| Python| {code}|一个类|一个函数|不用循环的|不用子查询的][写一遍|怎么写|再写|]",
        "[sql|javascript|python] [怎么写|也要|就行]",
        "[用 SQL |SQL 里|数据库里|][怎么|如何][连接|统计|更新|删除|分组|排序|复制|重命名|加索引][两张表|三张表|{noun}|行|列|数据库|]",
        "[写|建][一个|一张|][建表语句|表|视图|存储过程|触发器|索引]，[{noun}和{noun}|把{noun}{verb}|{noun}的{noun}]",
        "[解释|举例说明|说说][一下|] [GROUP BY|HAVING|LEFT JOIN|主键|事务|闭包|装饰器|生成器|异步][的作用|是什么|怎么用|]",
        "[举例说明|用例子说明|举个例子，][ORDER BY|LIMIT|DISTINCT|UNION|GROUP BY|await|yield|lambda|递归|指针]"
        "[ 的作用|有什么用|怎么用|是什么]",
        "[用 SQL |][给|往|从]表[里|中|][加|添加|插入|删除|修改][一列|一行|两列|一条记录|一个字段|主键]",
        "[写|用 {code} 写|用 Python 写|用 JavaScript 写]一个[函数|类|方法]，[判断|统计|合并|排序|查找|去重][{noun}|列表|数组|两个 CSV 文件|字符串]",
        "[Python|JavaScript|{code}] [里|中]怎么[读取 JSON 文件|给列表排序|合并两个文件|给数组去重|按{noun}分组]",
    ],
}

_GENERAL = {
    "en": [
        "what is {topic}",
        "what are {noun}s [made of|good for|afraid of]",
        "explain {topic}",
        "tell me [about|more about|something about|a story about|a joke about|everything about] {topic}",
        "how does {topic} work",
        "why [is|are|do people like|did we invent] {topic}[ important| so popular|]",
        "who [invented|discovered|wrote about|started] {topic}",
        "when [was|did people discover] {topic}",
        "how do I [repair|make|buy|clean|sell|choose|cook|treat|return|paint|insure|photograph|lose|move] {thing}",
        "how [much|long|often] [does|should|do I have to pay for] {thing}[ cost| last| take|]",
        "where can I [buy|find|rent|leave] {thing}",
        "what should I [see|eat|do|wear|buy|pack] in {place}",
        "how far is {place} from {place}",
        "what is the [capital|population|currency|weather|time|best hotel|history|flag] [of|in] {place}",
        "plan a [trip|weekend|honeymoon|business trip] to {place}",
        "when is the best time to visit {place}",
        "is {place} [safe|expensive|bigger than {place}|worth a visit]",
        "who was {person}",
        "what did {person} [invent|write|say about {topic}|do|think of {topic}]",
        "when did {person} [die|live|marry|become famous]",
        "write [a|a short|a long|a funny] {form} about [{topic}|a {adjective} {noun}|{place}|{person}|my {noun}]",
        "write [a letter|an email|a message|a card] to {receiver} {request}",
        "write a {form} for [{business}|{receiver}|my wedding]",
        "write a {code} [program|function|script|class] [that {task}|for {topic}]",
        "how do I [{verb}|learn to {verb}|stop {verb}ing] in {code}",
        "what does [the error |][segmentation fault|null pointer exception|index out of range|syntax error|"
        "404|ENOENT|stack overflow] mean",
        "{number} {operator} {number}",
        "what is {number} {operator} {number}",
        "calculate {number} {operator} {number} {operator} {number}",
        "what is {number} percent of {number}",
        "convert {number} {unit} [to|into] {unit}",
        "how many {unit} are in {number} {unit}",
        "solve [{digit}x + {digit} = {number}|x^2 + {digit}x = {number}|{digit}(x - {digit}) = {digit}]",
        "is {number} a prime number",
        "translate '[good {noun}|I am {feeling}|the {adjective} {noun}]' [into|to] {language}",
        "what is the {language} word for {noun}",
        "what is the [opposite|plural|meaning|past tense|origin] of [{noun}|{verb}|{adjective}]",
        "does {noun} rhyme with {noun}",
        "I feel {feeling}[ today| and don't know why|. What can I do|]",
        "I am so {feeling}",
        "my {noun} is [broken|gone|too loud|{feeling}]",
        "should I [{verb}|buy a {noun}|quit my job|learn {language}|move to {place}|get {thing}]",
        "can I [{verb}|{verb} with {thing}] [today|at night|in {place}|when I am {feeling}]",
        "give me [{digit}|some|three|ten] [ideas|tips|names|recipes|facts|jokes|questions|reasons|exercises] "
        "[for|about|on] [{topic}|a {noun}|{receiver}|{business}]",
        "recommend [a film|a book|a song|a game|a restaurant|a present|a {noun}] [about {topic}|for "
        "{receiver}|in {place}|]",
        "what is better, [a {noun}|{topic}] or [a {noun}|{topic}]",
        "compare {topic} [and|with] {topic}",
        "what is the difference between {topic} and {topic}",
        "what do you think [of|about] [{topic}|{person}|{place}]",
        "list [all|ten|the best|five] [{noun}s|kinds of {noun}|books on {topic}|countries in Europe|rivers in {place}]",
        "name a {adjective} {noun}",
        "why is the {noun} [{adjective}|so {adjective}]",
        "a {adjective} {noun} and a {adjective} {noun}",
        "the {noun} {verb}s in the {noun}",
        "{noun}",
        "{topic}",
        "{adjective} {noun}",
        "{verb}",
        "{place}",
        "{person}",
        "{noun} {noun} {noun}",
        "{question}",
        "{question}?",
        "{question} {noun}",
        "and {question}",
        "[ok|okay|yes|no|sure|fine|maybe|hmm|lol|haha|wow|really|exactly|right|wrong|cool|great|never mind|"
        "go on|next|more|stop|wait|again|why|continue|shorter|longer|undo|exit|quit|test|test test|foo|bar|"
        "asdf|xyz|abc]",
        "please {verb}",
        "[make it|can you make it|now make it] [shorter|longer|simpler|funnier|formal|better|in {language}|"
        "rhyme|red|a poem]",
        "[what do you mean|I don't understand|that is wrong|try again|one more|another one|give me more "
        "details|explain that|are you sure|why not|say that again|and then|what next|what about {topic}|the "
        "second one|translate your answer]",
        "[now |and now |]the same [for|with|about] [{topic}|{place}|{noun}s|{code}]",
        "now [in|with|for] [{language}|{code}|{receiver}]",
        "play [chess|music|a game|hangman|{topic}] with me",
        "pretend to be [{person}|a {adjective} {noun}|a pirate|my {noun}]",
        "remind me to {verb} at {digit}",
        "set [a timer|an alarm] for {digit} minutes",
        "what time is it[ in {place}|]",
        "what day is it",
        "what's the weather [in {place}|tomorrow|like]",
        "order [a pizza|a taxi|{thing}]",
        "call {receiver}",
        "open the {noun}",
        "sing [me a song|about {topic}]",
        "tell me a [joke|story|secret|riddle|fun fact|lie][ about {noun}s|]",
        "guess my {noun}",
        "I want to [{verb}|buy {thing}|learn about {topic}|go to {place}|become a {noun}]",
        "I need [a {noun}|help with {topic}|{thing}]",
        "help me [{verb}|with {topic}|to understand {topic}|choose a {noun}|write a {form}]",
        "show me [a picture of a {noun}|{place} on a map|how to {verb}|a {noun}]",
        "is it [legal|healthy|possible|rude|normal] to {verb}[ in {place}|]",
        "who will win the [election|cup]",
        "can you [{verb}|speak {language}|draw a {noun}|book a hotel in {place}|order {thing}]",
        "do {noun}s {verb}",
        "how many {noun}s",
        "{topic}: [pros and cons|a short history|key facts|an overview|explained|a summary]",
        "define {noun}",
        "spell {noun}",
        "brainstorm [ideas|names] for a {noun}",
        "debug this: {noun}.{verb}({digit})",
        "import {noun}; {noun}.{verb}()",
        "{noun}={digit}",
        "https://www.{noun}.com/{noun}",
        "{noun}@{noun}.org",
        "{digit}{digit}{digit}",
        "{number}, {number}, {number}",
        "sudo apt install {noun}",
        "git [commit|push|rebase|status|merge]",
        "SELECT * FROM {noun};",
        "<{noun}>{noun}</{noun}>",
        "if ({noun} > {digit}) return {noun};",
        "Act as [a {noun}|an expert on {topic}]. {question} should I {verb}",
        "In {place}, {question} do people {verb}",
    ],
    "zh": [
        "{topic}",
        "{topic}是什么",
        "什么是{topic}",
        "[解释|介绍|讲讲|说说|科普|谈谈][一下|]{topic}",
        "{topic}[的原理|的历史|的好处|的影响|的起源|的未来|的缺点|有哪些种类|为什么重要|怎么入门]",
        "为什么[会有|要学|人们喜欢|需要]{topic}",
        "谁[发明|发现|提出]了{topic}",
        "{topic}[是什么时候出现的|和{topic}有什么区别|难不难学|和{topic}哪个好]",
        "怎么[修|做|买|洗|卖|选|退|养|保养|治]{thing}",
        "{thing}[坏了怎么办|多少钱|怎么做好吃|怎么选|能用多久|哪个牌子好|怎么清洗]",
        "哪里可以[买|租|修]{thing}",
        "[去|到]{place}[玩什么|吃什么|怎么走|穿什么|几天合适|要多少钱]",
        "{place}[离{place}多远|的天气怎么样|有什么特产|现在几点|的人口是多少|在哪里|好玩吗|的历史]",
        "[做|写|规划][一份|一个]{place}[三日游|旅游|亲子游|自驾]攻略",
        "{person}是谁",
        "{person}[是哪个朝代的|写过什么|有什么成就|怎么死的|的名言|说过什么|是哪国人]",
        "怎么评价{person}",
        "写{form}，关于[{topic}|{noun}|{place}|{person}]",
        "写{form}",
        "[帮我|]写{form}，[主题是|题目叫]{topic}",
        "给{receiver}写[一封信|一封邮件|一张贺卡|一条短信]，{request}",
        "为{business}写{form}",
        "以{noun}为题写{form}",
        "用 {code} 写[一个|]{task}[程序|的代码|]",
        "{code} 怎么[{task}|入门|安装|调试|读文件]",
        "[空指针异常|段错误|数组越界|语法错误|404|栈溢出]是什么意思",
        "{number} {operator} {number}",
        "{number}{operator}{number}等于多少",
        "计算 {number} {operator} {number} {operator} {number}",
        "{number} 的百分之 {number} 是多少",
        "{number} {unit}等于多少{unit}",
        "把 {number} {unit}换算成{unit}",
        "解方程 [{digit}x + {digit} = {number}|x² + {digit}x = {number}]",
        "{number} 是质数吗",
        "“{noun}”用{language}怎么说",
        "把“[我很{feeling}|{adjective}{noun}]”翻译成{language}",
        "“{noun}”的[反义词|近义词|英文|拼音|部首|意思]是什么",
        "用“{noun}”造句",
        "{noun}的成语有哪些",
        "我[很|好|有点|今天很]{feeling}",
        "我{feeling}，怎么办",
        "我的{noun}[坏了|丢了|不见了|太旧了]",
        "我[该|要不要|应不应该][{verb}|买{noun}|辞职|学{language}|去{place}]",
        "能不能[{verb}|一边{verb}一边{verb}]",
        "给我[几个|三个|十个|一些][建议|名字|点子|菜谱|冷知识|笑话|理由]，关于{topic}",
        "推荐[一部电影|一本书|一首歌|一个游戏|一家餐厅|一份礼物|几个{noun}品牌]",
        "[送|给]{receiver}[送什么礼物|买什么|准备什么]好",
        "{noun}和{noun}哪个好",
        "比较{topic}和{topic}",
        "你[怎么看|觉得]{topic}[怎么样|]",
        "列出[十种|所有的|五个|最好的]{noun}",
        "{adjective}{noun}",
        "{noun}",
        "{verb}",
        "{place}",
        "{person}",
        "{noun}{noun}",
        "{noun} {noun} {noun}",
        "{question}",
        "{question}？",
        "{noun}{question}",
        "{adjective}{noun}在{noun}上{verb}",
        "{noun}为什么[会|要|不]{verb}",
        "[好|好的|嗯|哦|对|不对|是的|不是|行|可以|哈哈|呵呵|真的吗|厉害|随便|算了|继续|下一个|还有吗|停|等等|"
        "再来|为什么|短一点|长一点|撤销|退出|测试|测试一下|不懂|没了|然后呢|所以呢|啊|额|在线等|急|无语|笑死|"
        "牛|加油]",
        "[再|能不能再|请][短一点|长一些|简单点|有趣些|正式一点|详细一点|换一个|说一遍|想想|来一个]",
        "[什么意思|我不明白|你说错了|重新写|换个说法|举个例子|详细说说|你确定吗|为什么不|接下来呢|"
        "那{topic}呢|第二个呢|翻译你的回答|改成{language}]",
        "[那|再|也][换成|写一个|来一个][{topic}|{place}|{noun}|{code}]的",
        "[陪我|和我]下[棋|象棋|围棋]",
        "我们来玩[成语接龙|猜谜|二十个问题|{topic}]",
        "假装你是[{person}|{adjective}{noun}|海盗|我的{receiver}]",
        "提醒我{digit}点{verb}",
        "定一个{digit}分钟的闹钟",
        "现在几点[了|]",
        "今天[星期几|几号|天气怎么样|有什么新闻|吃什么]",
        "明天{place}[下雨吗|冷不冷|多少度]",
        "[点|订]一[份披萨|杯奶茶|辆出租车|张去{place}的票]",
        "给{receiver}打电话",
        "打开{noun}",
        "唱[首歌|一首关于{noun}的歌]",
        "讲[个|一个][笑话|故事|秘密|谜语][，关于{noun}|]",
        "猜猜我的{noun}",
        "我想[{verb}|买{thing}|了解{topic}|去{place}|当{noun}]",
        "我需要[{noun}|一个{noun}]",
        "帮我[{verb}|选{noun}|查一下{topic}|订酒店|写{form}|起个名字|算一卦]",
        "给我看[一张{noun}的图片|{place}的地图|怎么{verb}]",
        "[边{verb}边{verb}|{verb}][合法吗|健康吗|正常吗|费钱吗|有什么好处]",
        "谁会赢得[选举|冠军]",
        "你会[{verb}|说{language}|画{noun}]吗",
        "{noun}会{verb}吗",
        "有多少{noun}",
        "{topic}：[利与弊|简史|要点|概述]",
        "[{noun}|{topic}]的定义",
        "怎么才能[{verb}|不{verb}|学好{topic}|变得有钱|考上大学]",
        "{feeling}的时候[听什么歌|吃什么|做什么好]",
        "{grade}[作文怎么写|数学题|学什么]",
        "{place}的{noun}[好吃|好看|贵]吗",
        "以[{person}|{noun}|奶奶]的口吻[说|写]{topic}",
        "孩子[不爱{verb}|总是{feeling}]怎么办",
        "{receiver}[生气了|不理我|让我{verb}]怎么办",
        "{digit}{digit}{digit}{digit}",
        "{noun}={digit}",
        "《{noun}》[讲了什么|作者是谁|好看吗]",
        "[百度|微信|淘宝|抖音|知乎]怎么{verb}",
        "{noun}的英文怎么写",
        "{topic}[论文|思维导图|考点|题库|入门书][推荐|有哪些|]",
    ],
}

_SYMBOLS = [*"!?.,;:-_+=*/\\|@#$%^&()[]{}<>~`'\"", *"😀😂👍🎉🚀🐱🔥", "❤️", "。", "？", "！", "…"]
_KEYBOARD_ROWS = ["qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890"]
_ONSETS = ["", *"bcdfghjklmnprstvwz", "br", "ch", "gl", "pr", "qu", "st", "tr"]
_CODAS = ["", *"nrsltmx", "ck"]
_FOREIGN = [
    "Bonjour, comment ça va ?",
    "Quelle heure est-il ?",
    "Wie spät ist es?",
    "Schreib mir ein Gedicht",
    "¿Dónde está la playa?",
    "Hola, ¿qué tal?",
    "Ciao, come stai?",
    "Obrigado",
    "Привет, как дела?",
    "Как тебя зовут?",
    "안녕하세요",
    "オハヨウ",
    "ありがとう",
    "Merci beaucoup",
    "Danke schön",
    "Guten Tag",
    "¿Quién eres?",
    "Wer bist du?",
    "Was kannst du?",
    "Raconte une blague",
]


def common_han() -> list[str]:
    """The 3,755 characters of everyday Chinese: the first level of the GB 2312 standard."""
    rows = range(0xB0, 0xD8)
    cells = (bytes((row, cell)).decode("gb2312", "ignore") for row in rows for cell in range(0xA1, 0xFF))
    return [character for character in cells if character]


_HAN = common_han()


def near_miss(language: str, random: Random) -> str:
    """Returns a prompt close to a learned one."""
    return _finish(expand(random.choice(_NEAR[language]), near_words(language), random), language, random)


def about_code(language: str, random: Random) -> str:
    """Returns a prompt that wants other code than the learned examples."""
    return _finish(expand(random.choice(_CODE[language]), near_words(language), random), language, random)


def general(language: str, random: Random) -> str:
    """Returns a prompt about anything."""
    return _finish(expand(random.choice(_GENERAL[language]), WORDS[language], random), language, random)


def near_words(language: str) -> dict[str, list[str]]:
    """Returns the word lists of a language with those that only the close neighbours use."""
    return {**WORDS[language], "fourth": ["fourth graders", "grade 4"]}


def _finish(sentence: str, language: str, random: Random) -> str:
    if language == "en":
        sentence = sentence[:1].upper() + sentence[1:] if random.random() < 0.6 else sentence
    if random.random() < 0.5:
        sentence += "？" if language == "zh" and random.random() < 0.6 else random.choice(["?", ".", "", "!"])
    return sentence


def junk(random: Random) -> str:
    """Returns what is no sentence at all: mashed keys, symbols, digits, invented words, random characters."""
    kind = random.randrange(8)
    if kind == 0:
        row = random.choice(_KEYBOARD_ROWS)
        return "".join(random.choices(row, k=random.randint(1, 14)))
    if kind == 1:
        return "".join(random.choices(_SYMBOLS, k=random.randint(1, 8)))
    if kind == 2:
        return "".join(random.choices(string.digits + " .,-+", k=random.randint(1, 14))).strip() or "0"
    if kind == 3:
        return " ".join(invented_word(random) for _ in range(random.randint(1, 7)))
    if kind in (4, 5):
        return "".join(random.choices(_HAN, k=random.randint(1, 16)))
    if kind == 6:
        return random.choice(_FOREIGN)
    return random.choice(string.ascii_letters) * random.randint(1, 4)


def invented_word(random: Random) -> str:
    """Returns a pronounceable word that no list has, standing for all the words that the lists lack."""
    word = "".join(
        random.choice(_ONSETS) + random.choice("aeiouy") + random.choice(_CODAS) for _ in range(random.randint(1, 4))
    )
    return word.capitalize() if random.random() < 0.15 else word


def with_unseen_words(prompt: str, language: str, random: Random) -> str:
    """Replaces a word or two by something that is in no list, so that unknown words count as unknown."""
    if language == "zh":
        characters = list(prompt)
        start = random.randrange(len(characters))
        characters[start : start + random.randint(1, 3)] = random.choices(_HAN, k=random.randint(1, 4))
        return "".join(characters)
    words = prompt.split(" ")
    for _ in range(random.randint(1, 2)):
        words[random.randrange(len(words))] = invented_word(random)
    return " ".join(words)
