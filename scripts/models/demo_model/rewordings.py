"""More ways to ask for the learned conversations than the data lists: patterns, politeness and small slips."""

from __future__ import annotations

from random import Random

from .patterns import expand

_SLOTS: dict[str, list[str]] = {
    "can": [
        "",
        "",
        "",
        "please ",
        "can you ",
        "could you ",
        "could you please ",
        "can you please ",
        "would you ",
        "I want you to ",
        "I'd like you to ",
        "I need you to ",
        "help me ",
        "help me to ",
        "kindly ",
        "you should ",
        "let's ",
    ],
    "write": [
        "write",
        "write",
        "draft",
        "compose",
        "create",
        "make",
        "produce",
        "prepare",
        "write me",
        "make me",
        "do",
    ],
    "want": [
        "I want",
        "I need",
        "I'd like",
        "give me",
        "I would like",
        "I am looking for",
        "show me",
        "get me",
        "we need",
    ],
    "code": [
        "write",
        "code",
        "program",
        "create",
        "make",
        "build",
        "implement",
        "develop",
        "generate",
        "write me",
    ],
    "show": [
        "show me",
        "show",
        "give me",
        "display",
        "demonstrate",
        "print",
        "let me see",
        "present",
        "I want to see",
    ],
    "explain": ["explain", "describe", "explain to me", "clarify", "tell me about"],
    "qing": [
        "",
        "",
        "",
        "",
        "请",
        "请你",
        "帮我",
        "请帮我",
        "帮忙",
        "麻烦",
        "麻烦你",
        "能不能",
        "可以",
        "能否",
        "我想请你",
        "劳驾",
    ],
    "xie": [
        "写",
        "写",
        "写一下",
        "编写",
        "起草",
        "撰写",
        "生成",
        "做",
        "给我写",
        "帮我写",
    ],
    "yao": [
        "我要",
        "我想要",
        "我需要",
        "给我",
        "来",
        "求",
        "想要",
        "需要",
    ],
    "kan": [
        "演示",
        "演示一下",
        "展示",
        "展示一下",
        "显示",
        "给我看",
        "给我看看",
        "看看",
        "我想看看",
        "让我看看",
        "来个",
        "写个",
    ],
    "ten": ["ten", "10", "top ten", "top 10"],
    "biggest": ["largest", "biggest"],
    "minute": [
        "one-minute",
        "1-minute",
        "60-second",
        "one minute",
        "minute-long",
        "sixty-second",
    ],
    "colleague": ["colleague", "coworker", "co-worker", "workmate", "teammate"],
    "figures": ["figures", "data", "numbers", "results"],
    "live": [
        "liveable",
        "livable",
        "more liveable",
        "more livable",
        "better to live in",
        "more pleasant to live in",
    ],
    "cafe": ["coffee shop", "café", "cafe", "coffee house", "coffee bar"],
    "near": ["neighbourhood", "neighborhood", "local", "community", "corner"],
    "fourth": [
        "fourth graders",
        "fourth grade",
        "4th graders",
        "4th grade",
        "grade four",
        "grade 4",
        "year four",
        "fourth-grade pupils",
        "fourth form pupils",
        "a fourth grade class",
        "a class of fourth graders",
    ],
    "pupil": [
        "primary school pupil",
        "primary school child",
        "child",
        "kid",
        "ten-year-old",
        "primary school student",
        "young pupil",
        "little kid",
        "elementary school pupil",
        "small child",
        "schoolchild",
        "10 year old",
    ],
    "this": [
        "this",
        "this text",
        "the text",
        "the text above",
        "this paragraph",
        "this passage",
        "the above",
    ],
    "qita": ["一些", "一点", "些", "点", ""],
    "deng": ["A = B + 3", "A=B+3", "A = B+3"],
    "dengb": ["B = C − 5", "B=C-5", "B = C - 5", "B=C−5", "B = C-5"],
    "dengc": ["A + B + C = 72", "A+B+C=72", "A+B+C = 72"],
}

_ENGLISH: dict[str, list[str]] = {
    "hello": [
        "[hi|hello|hey|hiya|howdy|greetings][ there| again| everyone| all| friend| qwen| dear model| you|]",
        "good [morning|afternoon|evening|day][ to you| everyone| there|]",
        "[hi|hello|hey], [is anyone|anybody|is somebody|are you] there",
        "[hi|hello|hey][ there|], how are you[ today| doing| doing today|]",
        "[hi|hello|hey], [nice|pleased|good] to meet you",
        "[hi|hello|hey][, | ][hi|hello|good morning]",
        "how do you do",
    ],
    "thanks": [
        "[ok |okay |great, |perfect, |wonderful, |cool, |]thank[ you| you so much| you very much|s|s a lot|s "
        "so much|s a million][ for your help| for everything| for that| for the answer|, that helped| indeed|"
        ", very helpful|]",
        "[I |I really |much |very much |]appreciate[d| it| that| your help]",
        "many thanks[ for this| indeed| for the help|]",
        "[that was|that's] [very |really |so |][helpful|kind|useful|nice of you][,| -] thank[s| you]",
        "[cheers|thx|ty|tysm|thanx|thank u]",
    ],
    "goodbye": [
        "[ok |okay, |well, |alright, |][bye|goodbye|good bye|bye bye|farewell|see you|see ya|cya][ for now| "
        "then| now| everyone| friend| later| soon| tomorrow| next week| around| next time|]",
        "[I have to|I've got to|I must|gotta|I need to] [go|leave|run|be off][ now|], [bye|goodbye|see you]",
        "that's [all|it|enough] for [today|now][, bye|, goodbye|, thanks and bye|]",
        "good night[ then| and goodbye|]",
        "[talk|speak] to you [later|soon|tomorrow]",
        "[I'm|I am] [leaving|going|done|finished][ now|][, bye|, goodbye|, see you]",
    ],
    "who-are-you": [
        "[so |and |tell me, |hey, |hi, |][who|what] [are you|exactly are you|are you exactly|might you be|am "
        "I talking to]",
        "[please |can you |could you |][introduce|describe|present] yourself[ briefly| to me|]",
        "[please |can you |could you |][tell me|say something|say a bit] about [yourself|who you are|what you are]",
        "what['s| is] your name",
        "[what|which] [model|kind of model|assistant|AI model|program] [are you|is this|am I using|am I talking to]",
        "[can|may] I [know|ask] [who you are|your name|who I'm talking to]",
        "what [should|can] I call you",
    ],
    "what-can-you-do": [
        "[so |hi, |tell me |and |][what|what all|what else|what exactly] can you do[ for me| here| then|]",
        "what [are|is] your [abilities|skills|capabilities|features|functions|strengths|purpose]",
        "[how|with what] can you [help|assist|be of help to] me",
        "what [can|could|may|should] I [ask|try|do with you|use you for|ask you|ask you about|try out here]",
        "what [are you|things are you|tasks are you] [able to do|capable of|good at|good for]",
        "[tell me|show me|list|explain] [what you can do|your abilities|your features|your skills|what you know]",
        "[help|usage|help me|what now]",
    ],
    "real-model": [
        "[tell me, |honestly, |so |][are you|is this|am I talking to|do I have] [the |a |][real|genuine|"
        "actual|true|full|proper|original] [Qwen|Qwen model|Qwen3|model|Qwen3-4B|Qwen AI]",
        "[are you|is this] [a demo|only a demo|just the demo|a demo model|the demonstration model|a toy|a "
        "fake|fake][ or the real Qwen| or the real model| or real|]",
        "are you [really |actually |truly |][Qwen|Qwen3|the Qwen|Qwen3-4B-Instruct]",
        "you[ are|'re] [not |][the real|really|actually] Qwen[, are you|, right|]",
    ],
    "get-real-model": [
        "[how|where] [do|can|could|would] I [get|download|install|obtain|fetch|use|run|find] [the |a |][real|"
        "full|actual|proper|true|big] [model|Qwen|Qwen model|Qwen3|Qwen3-4B]",
        "how [do|can] I [switch|change|upgrade|move|go] [over |][from the demo |][to|over to] the [real|full|"
        "actual] [model|Qwen|one]",
        "[I want|I'd like|I would like|I need] [the|to use the|to have the|to install the|to download the|to "
        "try the|to run the] [real|full|actual|proper] [model|Qwen|Qwen model|one]",
        "[what|which] [command|commands] [installs|downloads|gets|do I need for] [the real|the full|the "
        "actual|the Qwen] model",
        "how to [get|download|install|set up] [the |][real|full|actual] [qwen|model|Qwen model]",
        "how do I [use qwen pull|pull the model|run qwen pull|replace the demo model]",
        "can I [get|install|import|copy] the [real |full |][model|Qwen model] [offline|without internet|from "
        "a USB stick|from a file]",
    ],
    "privacy": [
        "[is|are] [what I type|my text|my data|my messages|my input|my prompts|my questions|what I write|our "
        "chat|our conversation] [sent anywhere|uploaded|stored|stored online|sent to a server|sent to the "
        "cloud|private|safe|sent over the internet|shared|kept private|confidential]",
        "[do|will|would] you [upload|send|share|collect|store|save|log|transmit] [my data|what I type|what I "
        "write|my messages|my text|my conversations|this chat|anything][ to anyone| anywhere| to the "
        "internet| online|]",
        "does [anything|my text|my data|what I write|any data] [leave|go out of] [this|my] [computer|machine|laptop]",
        "who [can|could] [see|read] [what I type|what I write|my messages|this chat|our conversation|my text]",
        "[does|do] [this|you|it] [run|work] [locally|offline|on my computer|without internet|in the cloud]",
        "[is this|are you|is it] [private|offline|local|secure|running locally|confidential]",
        "where [is|does|do] [my data|my text|my input|my messages] [stored|go|kept|sent]",
    ],
    "calculator": [
        "{can}{code} [a |a small |a simple |a complete |][tkinter|tk|Tkinter] calculator[ in Python| with "
        "Python| app|][ with comments| with commented code| and comment the code|, with comments|, commented|"
        "]",
        "{can}{code} a[ commented| graphical| simple| desktop| GUI|] [Python |][calculator|calculator "
        "program|calculator app] [using|with|in|based on] [tkinter|the tkinter library|Python and tkinter|"
        "Python tkinter][, with comments| and comments|]",
        "{want} a [tkinter|Python tkinter|commented tkinter|simple tkinter] calculator[ with comments| in Python|]",
        "[python |simple |]tkinter calculator[ code| example| program| source|][ with comments| please|]",
        "[use|using|with] [Python and tkinter|tkinter|Python's tkinter][,|] [write|build|create|make] a "
        "calculator[ with comments|]",
    ],
    "city-essay": [
        "{can}{write} [an essay|a long essay|an article|a long article|a text] [on|about] [how to make|"
        "making|how we can make] [cities|our cities|the city|a city|towns and cities] {live}[, with cases "
        "and proposals|, with examples|, with case studies and recommendations|, including cases and "
        "proposals| with cases and suggestions|]",
        "{can}{write} [an essay|an article] [on|about] [liveable cities|livable cities|urban liveability|the "
        "liveable city|city liveability|improving city life][ with cases and proposals|, with examples and "
        "proposals|]",
        "essay[:| on| about] [liveable cities|making cities more liveable|more livable cities|how to make "
        "cities more liveable]",
        "{want} [an essay|an article|a piece] [on|about] [how cities can become|making cities|what makes "
        "cities] {live}[, with cases and proposals| with cases|]",
        "how can [cities|our cities|we make cities] [be made|become|be] {live}? Write an [essay|article][ "
        "with cases and proposals|]",
    ],
    "age-puzzle": [
        "[solve|solve this|find A, B and C|find the ages|work it out|calculate|please solve|my homework|a "
        "puzzle|age puzzle|given][:| if| when|: if|] {deng}[,|;| and] {dengb}[,|;| and|, and] {dengc}[. How "
        "old are they|. What are the ages|, how old is each| . Find A, B and C|]",
        "{deng}[,|;|] {dengb}[,|;|] {dengc}[. |, |; ][how old are A, B and C|how old is everyone|find A, B, "
        "C|what are the three ages|how old are they|solve it|what ages are they|calculate the ages|who is "
        "how old]",
        "[how old|what age] [are|is each of] A, B and C if {deng}, {dengb} and {dengc}",
        "A is [3|three] years older than B[,| and] B is [5|five] years younger than C[,|, and] [together "
        "they are|the sum is|their ages add up to|in total they are] [72|seventy-two][. How old are they|, "
        "how old is each|. Find their ages|]",
        "[what are|tell me|find|compute|determine] [the ages of A, B and C|the three ages|A, B and C][:| if| "
        "given that] {deng}, {dengb}, {dengc}",
    ],
    "http": [
        "{can}explain [HTTP|the HTTP protocol|what HTTP is|how HTTP works] [to a {pupil}|to my {pupil}|for a "
        "{pupil}|so that a {pupil} understands|in words a {pupil} understands|as if I were a {pupil}|like "
        "I'm a {pupil}|like I'm ten|to kids|to children|for children|like to a child]",
        "what is HTTP[? Explain|, explain| -| explained] [it |][for|to] [a {pupil}|kids|children|a child]",
        "[HTTP|the HTTP protocol][,|] [explained|described] [to|for] [kids|children|a {pupil}|primary school]",
        "[describe|present|teach] [HTTP|the HTTP protocol] [to a {pupil}|to children|to kids|in a child's words]",
        "how [do I|would you|can I|should I] [explain|describe] HTTP to [a {pupil}|my son|my daughter|kids|"
        "my pupils|children]",
        "[eli5|eli10][:|] [what is |][http|HTTP]",
    ],
    "email": [
        "{can}{write} [an email|an e-mail|a mail|a short email|a polite email|a message] [asking|requesting|"
        "to ask|that asks] [a {colleague}|my {colleague}|one of my colleagues] [to send me|for|to send|to "
        "give me|to send over] the [quarterly {figures}|{figures} of the quarter|quarter's {figures}] [by|"
        "before|until|no later than] Friday",
        "{can}{write} [an email|a mail|an e-mail] to [a {colleague}|my {colleague}][: please send|, asking "
        "for|, I need| to get] the quarterly {figures} by Friday",
        "{want} [an email|a mail] [to|for] [a {colleague}|my {colleague}] [about|asking for|requesting] the "
        "quarterly {figures} by Friday",
        "[email|mail] [asking|requesting|to ask][ a colleague|] for [the |]quarterly {figures} [by|before] friday",
        "[ask|remind|tell|get] [a|my] {colleague} [by email|in an email|via email] to send [me |][the |]"
        "quarterly {figures} [by|before] Friday",
    ],
    "python-script": [
        "{can}{code} a [Python script|small Python script|script in Python|Python program|Python tool] [that|"
        "which] [renames|will rename] [photos|the photos|all photos|pictures|my photos|image files|images] "
        "[in a folder|in a directory|of a folder|inside a folder|] [by|according to|based on|using] [date|"
        "their date|the date|the date taken|capture date]",
        "{can}{code} a [Python script|script in Python|Python program] [to|for] [rename|batch rename|"
        "renaming] [photos|my photos|all my pictures|pictures|a folder of photos] by date",
        "[rename|batch rename|automatically rename] [photos|pictures|my photos|the photos in a folder] by "
        "date [in|with|using] Python",
        "[python|Python script][:|] rename [photos|pictures|images] by date",
        "{want} a [Python script|Python program] [that renames|to rename|for renaming] [photos|my photos|"
        "pictures] by date",
        "how [do|can|could] I [rename|sort the names of] [photos|my photos|all photos in a folder|pictures] "
        "by date [with|using|in] Python",
    ],
    "video-script": [
        "{can}{write} a {minute} [video script|script for a video|video screenplay|clip script] [introducing|"
        "about|presenting|on|for|showing|featuring] [a|the|our|my] [school library|school's library|library "
        "of our school]",
        "{can}{write} a [video script|script] [introducing|about|presenting|for] [a|the|our] school "
        "library[, one minute| in one minute|, 60 seconds| of one minute|, about a minute long|]",
        "[video script|script|{minute} script|{minute} video script][:|,|] [the |our |]school library[, one minute|]",
        "{want} a {minute} [video script|script] [about|introducing|for|on] [our|the|a] school library",
        "[we are|I am|our class is] [making|shooting|filming] a {minute} [video|clip|film] about [our|the] "
        "school library[, write the script|. Please write the script| and need a script]",
    ],
    "explain-simply": [
        "{can}{explain} [inflation|what inflation is|what inflation means|the meaning of inflation] [in "
        "simple words|simply|in simple terms|in plain English|in easy words|briefly and simply|in plain "
        "words|for beginners|so that I understand it|in everyday language|for dummies|]",
        "what [is|does] inflation[ mean| in simple words| in simple terms| exactly| actually|, in plain "
        "words|, simply put|]",
        "[give me|I need|I'd like] a simple [explanation|definition|description] of inflation",
        "inflation[,|:|] [explained |][simply|in simple words|in plain English|for beginners]",
        "[I don't|I do not|I never] [understand|get|understood] inflation[, explain it| - explain it simply|"
        ", please explain| at all, can you explain it]",
        "[tell me|teach me|help me understand] [what inflation is|inflation|what inflation means][ simply| "
        "in simple words|]",
    ],
    "lesson-plan": [
        "{can}{write} a [lesson plan|teaching plan|plan for a lesson|45-minute lesson plan] [introducing|on|"
        "about|for introducing|that introduces|to introduce] fractions [to|for|in|with] {fourth}",
        "{can}{write} a lesson plan for {fourth}[: introducing fractions|, introduction to fractions| on "
        "fractions| about fractions]",
        "lesson plan[:|,| on|] [fractions|introducing fractions|introduction to fractions][,|] [for |]{fourth}",
        "{want} a lesson plan [on|about|introducing|to teach|to introduce] fractions [to|for|in] {fourth}",
        "[plan|design|prepare] [a lesson|a maths lesson|a first lesson] [on|introducing|about] fractions "
        "[for|in|with] {fourth}",
        "how [do I|would you|can I|should I] [teach|introduce] fractions to {fourth}[? Write a lesson plan|, "
        "write the lesson plan]",
    ],
    "slogan": [
        "{can}[write|come up with|think of|create|invent|make|suggest|find|brainstorm] [five|5] [slogans|"
        "advertising slogans|catchy slogans|short slogans|advertising lines|taglines] for [a|our|my|the] "
        "{near} {cafe}",
        "{want} [five |5 |some |][slogans|advertising slogans|taglines] for [a|our|my|the] {near} {cafe}",
        "[five |5 |][slogans|advertising lines][:| for] [a |our |my |]{near} {cafe}",
        "[I'm opening|I run|we have|we own] a {near} {cafe}[, write five slogans|, give me five slogans|. "
        "Five slogans please| and need five slogans]",
        "{can}advertise a {near} {cafe} with five slogans",
    ],
    "shell-command": [
        "[which|what|what is the|tell me the|give me the|show me the|I need the|is there a] [command|shell "
        "command|linux command|terminal command|unix command] [finds|to find|that finds|lists|to list|shows|"
        "for finding|for listing] the {ten} {biggest} files[ on my disk| in a folder| on Linux| here|]",
        "how [do|can|could|would] I [find|list|see|show|get] the {ten} {biggest} files[ in the terminal| on "
        "Linux| with a command| in bash| from the shell|]",
        "{can}[find|list|show] the {ten} {biggest} files[ with a command| on the command line|]",
        "[command|shell|bash|linux][:| for| command for] [the |]{ten} {biggest} files",
        "[which|what] command [shows|lists|finds] the {ten} files [taking up|using|occupying] the most "
        "[space|disk space|room]",
        "my [disk|drive] is [full|almost full], [how do I|which command can] find the {ten} {biggest} files",
    ],
    "markdown-headings": [
        "{can}{show} [all |the |every |the six |][Markdown heading|heading|Markdown header] levels",
        "{can}{show} [all |the |some |][Markdown headings|headings in Markdown|Markdown headers|Markdown "
        "titles|headings][ of every level| of all levels| from one to six| at every level| of each level|, "
        "levels 1 to 6]",
        "[what|how] do [Markdown headings|headings in Markdown|the heading levels in Markdown] look[ like|]",
        "[markdown |]headings [demo|example|sample|of every level|test|of all six levels]",
    ],
    "markdown-lists": [
        "{can}{show} [some |][nested|multi-level|indented] lists and [task lists|to-do lists|check lists|"
        "checklists|todo lists][ in Markdown|]",
        "{can}{show} [task|check|to-do] lists and nested lists[ in Markdown|]",
        "[what|how] do [nested lists and task lists|lists in Markdown|Markdown lists|nested lists|task lists]"
        " look[ like|][ in Markdown|]",
        "[markdown |][nested lists and task lists|lists, nested and with tasks|lists][ demo| example| sample| please]",
        "{can}{show} [Markdown lists|lists in Markdown|all kinds of lists]",
    ],
    "markdown-table": [
        "{can}{show} [a|an example of a|a sample|a simple|a nice] [Markdown table|table in Markdown|table "
        "written in Markdown]",
        "[what|how] does a [Markdown table|table in Markdown] look[ like|]",
        "how do [tables look in Markdown|Markdown tables look|I write a table in Markdown|you make a table "
        "in Markdown]",
        "[a |][markdown|sample markdown] table[ demo| example| sample| please| test|]",
        "{can}{show} tables in Markdown",
    ],
    "table": [
        "{can}[put|arrange|organise|organize|present|show|list|format|write] [this|these facts|this "
        "information|this data|the data above|it|these details|the information above] [in|into|as|in the "
        "form of] a [table|Markdown table|clear table]",
        "{can}[make|create|build|generate|draw] a table [from|of|out of|with] [this|this information|these "
        "facts|this data|the above]",
        "{can}[turn|convert|transform|make] [this|this information|this text|these facts|it] [into|to] a table",
        "{want} [this|this information|it] [as|in] a table",
        "[as a table|table|in table form|tabulate this|tabular form][, please| please|]",
    ],
    "markdown-mix": [
        "{can}{show} [quotes|quotations|blockquotes], links, [emphasis|bold and italics|bold text], [rules|"
        "horizontal rules|lines] and [maths|math|formulas|equations|mathematics][ in Markdown|]",
        "[quotes|quotations|blockquotes], links, [emphasis|bold], rules[ and|,] [maths|math|formulas][ "
        "please| demo| in Markdown|]",
        "[what|how] do quotes, links[,| and] [emphasis, rules and |][maths|formulas|math] look[ like|][ in "
        "Markdown| here|]",
        "{can}{show} [maths|formulas|math], [quotes|quotations], links[, emphasis|][,| and] [rules|"
        "horizontal rules][ in Markdown|]",
        "{can}{show} [links|emphasis], quotes, [emphasis|links], [formulas|maths] and [rules|separators]",
    ],
    "code-python": [
        "{can}{show} [some |a bit of |a piece of |a snippet of |an example of |][sample |example |][Python "
        "code|Python]",
        "[sample|example|some] Python code[ please|]",
        "[what|how] does Python[ code|] look[ like|]",
        "{can}[write|give me|show me] [a|a short|a small] Python [example|sample|snippet|code sample]",
    ],
    "code-javascript": [
        "{can}{show} [some |a bit of |a piece of |a snippet of |an example of |][sample |example |]"
        "[JavaScript code|JavaScript|JS code|JS]",
        "[sample|example|some] [JavaScript|JS|javascript] code[ please|]",
        "[what|how] does [JavaScript|JS][ code|] look[ like|]",
        "{can}[write|give me|show me] [a|a short|a small] [JavaScript|JS] [example|sample|snippet|code sample]",
    ],
    "code-sql": [
        "{can}{show} [some |a bit of |a piece of |a snippet of |an example of |][sample |example |][SQL code|SQL]",
        "[sample|example|some] SQL[ code| query|][ please|]",
        "[what|how] does SQL[ code|] look[ like|]",
        "{can}[write|give me|show me] [a|a short|a small] [SQL|sql] [example|sample|snippet|query|code sample]",
    ],
    "email-tone": [
        "{can}[make|rewrite|rephrase|turn|change] this [email|mail|message|e-mail] [to be |so it is |so that "
        "it sounds |into something |][more polite|politer|polite|friendlier|kinder|more courteous|nicer|less "
        "rude]",
        "{can}[soften|tone down|mellow] [this|the] [email|mail|message|tone of this email|tone][ a bit| please|]",
        "{can}[rewrite|rephrase|reword|redo] [this|the|the above|my] [email|mail|message] [politely|in a "
        "polite tone|in a friendlier tone|in a nicer way|more politely|in a more courteous tone]",
        "[this email is|this is|it is|it sounds] too [rude|harsh|aggressive|blunt|angry][, make it polite|, "
        "rewrite it|. Make it more polite|, please soften it|. Rewrite it politely]",
        "[more polite|politer|friendlier], please",
    ],
    "meeting-minutes": [
        "{can}[turn|convert|make|transform|rewrite|organise|format|put|work] [these|my|the|the above|those] "
        "[notes|meeting notes|rough notes|jottings] [into|in] [meeting minutes|minutes|proper minutes|formal "
        "minutes|the minutes of the meeting]",
        "{can}{write} [the |][meeting minutes|minutes|minutes of the meeting] [from|based on|using|out of] "
        "[this|these notes|my notes|the notes above]",
        "{want} [meeting minutes|minutes] [from|of|based on] [this|these notes]",
        "[meeting minutes|minutes][ from this| please| of this meeting]",
        "{can}[write up|summarise|tidy up] [these notes|my notes] as [meeting minutes|minutes]",
    ],
    "tech-rewrite": [
        "{can}[rewrite|rephrase|reword|simplify|translate|put|explain] [this|the|this technical|the "
        "technical] [note|technical note|technical text|paragraph|description|text] [for|so it suits|to] "
        "[ordinary readers|ordinary people|normal people|laypeople|non-technical readers|everyone|the "
        "general public|average users|non-experts]",
        "{can}[put|turn|rewrite|translate] [this|this technical note|this jargon|it|the above] [in|into] "
        "[plain English|plain language|everyday language|simple language|simple words|layman's terms]",
        "{can}make this [technical note|text|note|] [understandable|readable|easy to understand|accessible] "
        "for [ordinary readers|everyone|normal people|lay people|ordinary users]",
        "[this|it] is too technical[, rewrite it|, make it simpler|. Put it in plain English|, please simplify it]",
        "{can}[remove|get rid of|drop] the jargon[ from this| in this note|]",
    ],
    "weekly-report": [
        "{can}{write} [a|my|the] weekly [report|work report|status report] [from|based on|out of|using|with] "
        "[this|these notes|these points|these items|the above|this list]",
        "{can}[turn|make|convert|put|form|format] [this|these points|these notes|the above|it] [into|as] a "
        "weekly [report|status report]",
        "{want} a weekly report [from|based on|out of] [this|these]",
        "weekly report[ from this| please| based on this|]",
        "[this is|here is|that's] what I [did|have done|worked on] this week[, write my report|. Make it a "
        "weekly report|. Write a weekly report please|, turn it into a weekly report]",
    ],
    "summary": [
        "{can}[summarise|summarize|sum up|condense|outline|shorten|recap] {this} [in|to|into] [three|3|"
        "exactly three|just three] sentences",
        "{can}{write} a [three-sentence|3-sentence] summary[ of {this}|]",
        "{want} a [three-sentence summary|summary in three sentences][ of {this}|]",
        "[in|using] [three|3] sentences, [what is this about|summarise this|what does {this} say|sum it up|"
        "summarize the text]",
        "[three|3] sentence[s| summary][ please| only, summarise this|: summarise this]",
        "{can}[boil|cut|break] {this} down to [three|3] sentences",
    ],
    "translate": [
        "{can}[translate|put|turn|render|convert|transfer] [{this}|these sentences|it|the following] [in|"
        "into|to] [Chinese|simplified Chinese|Mandarin|Mandarin Chinese]",
        "{want} [a Chinese translation|the Chinese translation|the Chinese version|this in Chinese][ of {this}|]",
        "[how do you say|what is|how would I say|how do I write] [this|it|that] in [Chinese|Mandarin]",
        "[translate|translation][ in|:| to| into] [Chinese|chinese|Mandarin]",
        "[into|in] Chinese[, please| please]",
    ],
    "proofread": [
        "{can}[proofread|proof-read|correct|check|revise|edit|go over] [{this}|my text|this|the text] and "
        "[list|show|tell me|point out|name] [the|all|your|all the] [changes|corrections|edits|mistakes|"
        "errors]",
        "{can}[correct|fix|find] [the|all] [mistakes|errors|typos|spelling mistakes] in [this text|this|my "
        "text|the above][ and list them| and list the changes|, listing the changes|]",
        "{can}[proofread|spell-check|proof-read] [this|{this}|it][ for me| please|]",
        "[any|are there any] [mistakes|errors] in [this text|this|here][? List them|? Please correct them "
        "and list the changes|]",
        "{can}check [my|the] [spelling|grammar|spelling and grammar] and list the changes",
    ],
    "code-review": [
        "{can}[review|check|inspect|critique|evaluate|assess|look over|examine|look at] [this|my|the|the "
        "above|this piece of] [code|function|snippet|Python code|Python function]",
        "{can}[do|give me|make] [a|a quick] [code review|review of this code|review of this function]",
        "[what's|what is] wrong with [this|my|the] [code|function]",
        "[how|what] [can I|could I|should I|would you] improve [in |][this|my] [code|function]",
        "{can}[find|list|show me|point out] the [bugs|problems|issues|mistakes|weaknesses] in [this|my] "
        "[code|function]",
        "[any|do you have] [comments|feedback|thoughts] on [this|my] [code|function]",
    ],
}

_CHINESE: dict[str, list[str]] = {
    "hello": [
        "[你好|您好|哈喽|嗨|嘿|喂|哈啰|嗨喽][啊|呀|哦|哈|，你好|，朋友|，小助手|，千问|！|]",
        "[早上|上午|中午|下午|晚上]好[啊|呀|，你好|]",
        "[你好|您好|嗨|喂|]，[在吗|在不在|有人吗|你在吗|在么]",
        "[早|早啊|早安|大家好|你们好|你好你好|幸会|初次见面]",
        "[你好，|]很高兴[认识|见到]你",
        "[最近好吗|你好吗|你还好吗]",
    ],
    "thanks": [
        "[好的，|嗯，|好，|哇，|行，|太好了，|][谢谢|多谢|感谢|谢了|谢啦|非常感谢|太感谢了|十分感谢|谢谢你|"
        "谢谢您|感谢你|真谢谢你|谢谢啦][你的帮助|你的回答|帮忙|，很有用|，帮大忙了|，辛苦了|了|]",
        "[辛苦|麻烦]你了[，谢谢|，多谢|]",
        "[万分感谢|感激不尽|不胜感激|谢谢谢谢|thx|3q|感恩|多谢多谢]",
    ],
    "goodbye": [
        "[好的，|那|好了，|嗯，|行，|][再见|拜拜|回见|回头见|下次见|明天见|晚安|拜|再会|下回见|改天见|"
        "后会有期|88|白白][啦|了|咯|吧|，谢谢|]",
        "我[要|得|该|先|准备][走|下线|睡觉|去忙|下班|撤|休息|吃饭去]了[，再见|，拜拜|，回头见|]",
        "今天[就|先][到这里|到这儿|聊到这里|这样][吧|了|]",
        "[下次|改天|有空|回头|明天]再聊[，再见|，拜拜|吧|]",
        "没[有|][别的|其他]事了[，再见|，拜拜]",
    ],
    "who-are-you": [
        "[请问|喂，|那|话说|你好，|]你[到底|究竟|]是[谁|什么|什么模型|哪个模型|什么东西|哪位|什么人|什么程序|"
        "干什么的][呀|啊|呢|]",
        "{qing}[介绍|介绍一下|介绍下|说说|讲讲][你|][自己|你是谁]",
        "[请问|][你|您][叫|名字叫|的名字叫][什么|什么名字|啥]",
        "[做个|做一个|来个|来段|简单做个]自我介绍[吧|]",
        "[我|现在我|我现在][在|正在|是在][跟|和|与]谁[说话|聊天|对话]",
        "[怎么|如何|该怎么][称呼|叫][你|您]",
        "你是[人|机器人|AI|人工智能|真人|大模型][吗|还是机器|还是人]",
    ],
    "what-can-you-do": [
        "[请问|那|你好，|说说|]你[都|究竟|][能|会|可以][做|干][什么|些什么|哪些事|啥|嘛][呢|呀|]",
        "你[有|都有][什么|哪些|啥][功能|本领|本事|能力|用处|技能|特长]",
        "你[能|可以]帮我[做|干|忙][什么|些什么|啥|哪些事]",
        "我[能|可以|该|应该][问|让|叫]你[什么|些什么|做什么|哪些问题]",
        "[介绍|说说|讲讲|列出|告诉我][一下|]你[的功能|会什么|能做什么|会做的事|的本事]",
        "[怎么|如何|怎样][使用|用]你",
        "[有什么|有哪些|什么][可以|能][试试|玩|问]的",
        "[帮助|使用帮助|功能介绍|求助]",
    ],
    "real-model": [
        "[请问|老实说，|说实话，|那|]你[真的|真|][是|就是|是不是][真正的|真的|正版|完整的|原版|官方的|][Qwen|"
        "Qwen 模型|千问|通义千问|Qwen3|Qwen3-4B|千问模型][吗|么|]",
        "[这|现在|我用的|现在运行的|现在用的]是[真正的|真的|完整的|正式的][模型|Qwen|大模型|千问][吗|"
        "还是演示|还是假的]",
        "你[只|][是|是不是][演示模型|演示版|演示|假的|冒牌的|一个演示][吗|吧|而已吗|还是真的]",
    ],
    "get-real-model": [
        "[请问|][怎么|怎样|如何|怎么才能|怎样才能|要怎么][换成|下载|安装|得到|用上|使用|切换到|获取|升级到|"
        "换到|改用][真正的|真的|完整的|正式的|真][模型|Qwen|千问|Qwen 模型|大模型]",
        "我[想|要|想要][换成|下载|安装|用|使用|得到|试试][真正的|真的|完整的][模型|Qwen|千问][，怎么办|，怎么做|]",
        "[真正的|真的|完整的][模型|Qwen|千问][在哪里|在哪儿|从哪里|去哪][下载|获取|下|找]",
        "[没有网|没有网络|不联网|离线][怎么|如何|怎样][安装|装|用|导入][真正的|真的|完整的|]模型",
        "[用|要用|]什么命令[下载|安装|换成|获取][真正的|真的|完整的|]模型",
        "qwen pull [怎么用|是什么|命令怎么用]",
        "[不想用|不要]演示[模型|版]了[，怎么换|，换真的|，怎样换成真的]",
    ],
    "privacy": [
        "我[写|输入|打|发|说|贴]的[内容|东西|话|字|文字|信息|文件][会|会不会|是否会][被|][上传|传到网上|"
        "发出去|泄露|外传|被别人看到|发送到服务器|传到云端][吗|]",
        "你[会|会不会|是不是会|是否][上传|收集|保存|泄露|记录|外传|偷看|传出][我的|用户的|这些|][数据|信息|"
        "内容|隐私|聊天记录|对话][吗|]",
        "[我的|这里的|用户的][数据|隐私|对话|聊天记录|信息][安全|会被上传|有保障|会泄露|会不会外泄|保密]吗",
        "[别人|其他人|有人|谁][能|会|可以]看到[我写的|我们的对话|我的内容|聊天记录|我说的话][吗|]",
        "我的[数据|内容|聊天记录|对话][存|保存|放|传]在[哪里|哪儿|什么地方]",
        "[你|这个程序|这个模型]是[在|][本地|离线|本机][运行|跑][的|][吗|]",
        "[你|这个程序][要|需要|会]联网吗",
    ],
    "calculator": [
        "{qing}用 [Python|Python 的|Python 和] tkinter [写|做|编|实现|编写|开发][一个|个][带注释的|有注释的|"
        "简单的|][计算器|计算器程序][，要有注释|，加注释|，写好注释|]",
        "{qing}[写|做|编写|实现|开发|生成][一个|个][带注释的|有注释的|简单的|] [tkinter|Python tkinter|"
        "Python 的 tkinter] 计算器[，要注释|，带注释|，代码加注释|]",
        "{qing}用 Python {xie}[一个|个]带注释的 tkinter 计算器",
        "{qing}用 Python [写|做|编][一个|个][图形界面|带界面|桌面|窗口]的计算器[，用 tkinter|，要有注释|，"
        "tkinter，加注释]",
        "{yao}[一个|][带注释的|] [tkinter|Python tkinter] 计算器[代码|程序|]",
        "tkinter 计算器[代码|程序|示例|源码|，带注释|怎么写]",
    ],
    "city-essay": [
        "{qing}{xie}[一篇|篇][ 1200 字的|一千二百字的|1200字左右的|][文章|作文|长文][，|：|，主题是|，谈谈|，"
        "讲讲|，说说|，题目是][怎样|如何|怎么][让|使]城市[更|更加|变得更][宜居|适合居住][，要有案例和建议|，"
        "要案例和建议|，有案例、有建议|，包含案例和建议|]",
        "{qing}{xie}[一篇|篇]关于[宜居城市|城市宜居|怎样让城市更宜居|让城市更宜居|城市如何更宜居]的[ 1200 字|"
        "][文章|作文|长文][，要有案例和建议|，附案例和建议|]",
        "{yao}一篇[谈|讲|关于][宜居城市|怎样让城市更宜居|城市宜居]的[文章|作文][，要有案例和建议|，1200 字|]",
        "[怎样|如何|怎么][让|使|才能让]城市更[宜居|适合居住]？[请|帮我|][写|写成]一篇[文章|1200 字的文章|"
        "作文][，要有案例和建议|]",
        "{qing}以[“怎样让城市更宜居”|“宜居城市”|让城市更宜居]为题[写|作]一篇[文章|1200 字的文章]",
    ],
    "age-puzzle": [
        "[已知|若|如果|设|年龄问题：|解方程组：|求解：|算一下：|帮我算：|这道题：|请解：|]{deng}[，|；|,] "
        "{dengb}[，|；|,|，且] {dengc}[，|。|，请问|，那么][求 A、B、C|A、B、C 各多少岁|三个人各几岁|"
        "求各自的年龄|分别多大|三人各是多少岁|求三人年龄|各是几岁|怎么解|]",
        "A比B大[3|三|3 ]岁，B比C小[5|五|5 ]岁，[三人|三个人|他们|][一共|共|加起来|年龄之和是|年龄和为][72|"
        "七十二| 72 ]岁，[各是多少岁|各几岁|求各自年龄|分别多大]",
        "[求|算出|请算出|求出][ A、B、C |三个人|三人]的年龄：{deng}，{dengb}，{dengc}",
        "{dengc}，{deng}，{dengb}，[求三人的年龄|A、B、C 各几岁|三人分别多大]",
    ],
    "http": [
        "{qing}[用|拿][小学生|孩子|小朋友|小孩|儿童][能|可以|][听得懂|听懂|听懂|理解|明白]的[话|语言|方式|"
        "说法][解释|解释一下|讲讲|讲一下|说说|介绍|说明][什么是|一下|] HTTP[ 是什么| 协议|]",
        "{qing}[给|向|跟|对][小学生|孩子|小朋友|小孩|一个小学生|十岁的孩子][解释|讲讲|讲一下|说明|介绍|讲解]"
        "[什么是|一下|] HTTP[ 是什么| 协议|]",
        "[什么是 HTTP|HTTP 是什么|HTTP 协议是什么|HTTP 怎么理解]？[请|][用|说得|讲得|要][小学生能听懂的话|"
        "小学生也能懂|孩子能听懂的话|小朋友能听懂的话][解释|说|讲|]",
        "[把我|就|假设我|假如我][当成|当作|像|是][小学生|孩子|小朋友]，[解释|讲讲|讲一下|介绍] HTTP",
        "[怎么|怎样|如何][给|跟|向|对][小学生|孩子|小朋友|学生][解释|讲|说明|讲清楚] HTTP[ 协议|]",
    ],
    "email": [
        "{qing}{xie}[一封|封|个][邮件|电子邮件|催办邮件|礼貌的邮件][，|，内容是|给同事，|，][请|让|叫|催|"
        "提醒|要求][同事|一位同事|同事小王|他|][在|于|]周五[之前|前|以前][把|将]季度[数据|的数据][发|交|给|"
        "传|发送]给我",
        "{qing}给同事[写|发|写一封|写封|起草]邮件[，|][请他|让他|要他|催他|][在|]周五[之前|前|][发|提供|给我|"
        "交|发来]季度[数据|的数据|数字]",
        "{qing}[写|起草|拟][一封|封|个]请同事周五[之前|前][发|提供|交|发来]季度数据的邮件",
        "{yao}[一封|][邮件|电子邮件]，[请|让|催]同事周五前[把季度数据发给我|发季度数据|交季度数据]",
        "[怎么|如何]写邮件[请|让|催|向]同事[要季度数据，周五前|周五前发季度数据|在周五前给我季度数据]",
        "[周五前|星期五前|周五之前]要同事[的|发|]季度数据，[邮件怎么写|写封邮件|帮我写邮件]",
    ],
    "python-script": [
        "{qing}{xie}[一个|个|一段] Python [脚本|程序|代码|小工具|小脚本][，|][把|将|给][文件夹|目录|"
        "一个文件夹|文件夹中][里|中|内|][的|][照片|相片|图片|照片文件][按|按照|根据|用][日期|拍摄日期|时间|"
        "拍摄时间][改名|重命名|命名|重新命名]",
        "{qing}用 Python [写一个脚本|写脚本|写个程序|][，|][批量|][把|给|将][照片|文件夹里的照片|一堆照片|"
        "图片|][按|按照|根据][日期|拍摄日期][改名|重命名|批量重命名]",
        "[怎么|如何|怎样][用|写] Python [脚本|][把|给|批量给|将][照片|文件夹里的照片][按|按照]日期[改名|重命名]",
        "[Python|Python 脚本|脚本]：?[批量|][照片按日期改名|按日期重命名照片|给照片按日期改名|照片按日期重命名]",
        "{yao}一个[按日期给照片改名|把照片按日期重命名|能按日期改照片名]的 Python [脚本|程序]",
    ],
    "video-script": [
        "{qing}{xie}[一个|个|一份|份][一分钟|1分钟|60秒|一分钟左右|六十秒][的|][短视频|视频|介绍视频|"
        "宣传短视频|][脚本|的脚本][，|，用来|，内容是|]介绍[一下|][我们|][校园|学校|学校的]图书馆",
        "{qing}{xie}[一个|个|一份]介绍[校园|学校|我们学校]图书馆的[一分钟|1分钟|60秒|][短视频|视频|小视频]"
        "[脚本|的脚本|拍摄脚本]",
        "{qing}[为|给][校园|学校|我们学校的]图书馆[写|做|设计|创作][一个|一份|个][一分钟|60秒][短视频|视频|"
        "的短视频][脚本|文案脚本]",
        "[校园|学校]图书馆[一分钟|介绍|][短视频|视频|]脚本[，一分钟|怎么写|]",
        "[我要|我们要|我想|我们打算][拍|做][一个|一条][一分钟|60秒][的|][短视频|视频]介绍[校园|学校]图书馆，"
        "[写个脚本|帮我写脚本|请写脚本|脚本怎么写]",
    ],
    "explain-simply": [
        "{qing}用[简单|通俗|浅显|大白|易懂|最简单][的|][话|语言|方式|例子|][解释|讲讲|说说|说明|解释一下|"
        "讲一下|介绍][什么是|一下|][通货膨胀|通胀][是什么|]",
        "[什么是|什么叫|啥是|何为|请问什么是][通货膨胀|通胀][，简单说说|？说简单点|？用大白话讲|]",
        "[通货膨胀|通胀][是什么|是什么意思|是啥|怎么理解|是怎么回事|指什么|到底是什么][，简单讲讲|"
        "？说得简单点|，通俗点|]",
        "{qing}[简单|通俗|简要|通俗地][解释|解释一下|说说|讲讲|介绍一下][通货膨胀|通胀|什么是通货膨胀]",
        "我[不懂|不太懂|不明白|没弄懂|][经济|通货膨胀|什么叫通胀]，[通货膨胀是什么|简单解释一下通货膨胀|能讲讲通胀吗]",
    ],
    "lesson-plan": [
        "{qing}{xie}[一份|份|个|一个][小学|][四年级][数学|的|][“认识分数”|认识分数|《认识分数》|分数的认识|"
        "分数][的|][教案|教学设计|教学方案|教学计划]",
        "{qing}[为|给][小学|]四年级[学生|的孩子|][写|设计|准备|做][一份|一个|][“认识分数”|认识分数|分数][的|]"
        "[教案|教学设计]",
        "[小学|]四年级[数学|][“认识分数”|认识分数|《认识分数》|分数的认识][的|这一课的|][教案|教学设计][，"
        "写一份|怎么写|]",
        "{yao}[一份|][小学|]四年级[“认识分数”|认识分数|分数]的教案",
        "我[要|想|准备][教|给|上]四年级[学生|][认识分数|讲分数|分数课]，[写一份教案|帮我写教案|教案怎么写]",
        "[设计|准备|备]一[节|堂]四年级[的|][“认识分数”|认识分数|分数]课",
    ],
    "slogan": [
        "{qing}[为|给|替|帮][一家|一间|我的|我们的|我家][社区|小区|街坊|街角|邻里|小区门口的][的|][咖啡馆|"
        "咖啡店|咖啡厅|小咖啡馆][写|想|创作|拟|设计|来][五条|5条|五句|五个|5 条][广告语|广告词|宣传语|口号|"
        "标语]",
        "{qing}{xie}[五条|5条|五句|五个][社区|小区|街坊|邻里][咖啡馆|咖啡店][的|][广告语|广告词|宣传语|口号]",
        "[社区|小区|街角][的|][咖啡馆|咖啡店][的|][广告语|广告词|宣传语][五条|，五条|，来五条|写五条|]",
        "我[开了|有|要开|经营着|在小区开了|][一家|一间|][社区|小区]咖啡[馆|店]，[写五条广告语|想五条广告语|"
        "给我五条广告语|要五句宣传语]",
        "{yao}[五条|5 条][社区|小区]咖啡[馆|店][的|][广告语|广告词]",
    ],
    "shell-command": [
        "[用|要用|请问用|拿|][什么|哪个|哪条|啥]命令[能|可以|来|][找出|查找|列出|查看|显示|找到][占用空间|"
        "占空间|体积|][最大|最多]的[十个|10个|十大| 10 个|前十个]文件",
        "[怎么|怎样|如何][用命令|在终端里|用命令行|在 Linux 里|在 shell 里|][找出|查找|列出|查看|找到]"
        "[占用空间|]最大的[十个|10个|前十个]文件",
        "{qing}[给我|写|给出|告诉我|来|][一条|一个|][命令|shell 命令|Linux 命令][，|][找出|列出|查找]"
        "最大的[十个|10个]文件",
        "[找出|列出|查找|显示]最大的[十个|10个|前十个]文件[的|][命令|命令是什么|用什么命令|shell 命令]",
        "[磁盘|硬盘|空间][满了|快满了|不够了]，[怎么|用什么命令|如何]找出最大的[十个|10个]文件",
        "[哪十个文件|哪些文件|什么文件]最[占空间|占地方|大]，[用什么命令看|怎么查，列十个|用命令列出前十个]",
    ],
    "markdown-headings": [
        "{qing}{kan} Markdown [的|里的|][各级标题|标题|六级标题|所有标题|各种标题|一到六级标题|标题级别|"
        "每一级标题][的效果|的样子|]",
        "{qing}{kan}[各级标题|一到六级标题|标题|六级标题]",
        "Markdown [的|][标题|各级标题|六级标题][长什么样|什么样|示例|演示|是什么样子的|例子|效果|怎么显示]",
    ],
    "markdown-lists": [
        "{qing}{kan}[ Markdown 的| Markdown 里的| Markdown |][嵌套列表和任务列表|任务列表和嵌套列表|"
        "嵌套列表与任务列表|多级列表和待办列表|嵌套列表、任务列表|列表][的效果|的样子|]",
        "[Markdown 的|Markdown |][嵌套列表和任务列表|嵌套列表|任务列表|列表][长什么样|示例|演示|什么样|"
        "的例子|怎么写，演示一下]",
        "{qing}[用 Markdown |][写|做|来][一个|个]嵌套列表和[一个|]任务列表",
    ],
    "markdown-table": [
        "{qing}{kan}[一个|一下|一张|个|] Markdown [的|里的|]表格[的效果|示例|的样子|]",
        "Markdown [的|]表格[长什么样|示例|演示|怎么写|什么样|例子|效果]",
        "{qing}[用 Markdown |][写|做|画|来][一个|一张|个] Markdown 表格[看看|示例|]",
        "{kan}表格[的效果|演示|示例]",
    ],
    "table": [
        "{qing}[把|将][这些|上面的|以上|这段文字里的|下面的][信息|内容|数据|资料][整理|做|列|归纳|转换|变|排]"
        "[成|为][一个|一张|][表格|表|Markdown 表格]",
        "{qing}用表格[整理|列出|展示|表示|呈现|归纳][一下|][这些|上面的|以上][信息|内容|数据|资料]",
        "[整理|做|列|变|画]成[一个|一张|][表格|表]",
        "[这些|上面的][信息|内容][能|可以|][整理成|做成|列成]表格吗",
        "{qing}[根据|按|用][这些|上面的][信息|内容][做|画|列|生成][一个|一张|个]表[格|]",
    ],
    "markdown-mix": [
        "{qing}{kan}[ Markdown 的| Markdown 里的|][引用、链接、强调、分隔线和|引用、链接、强调、分隔线、|"
        "链接、引用、强调、分隔线和|引用、链接、粗体、分隔线和|][数学公式|公式|数学式子]",
        "{qing}{kan}[数学公式|公式]、[引用|链接]、[链接|引用]、[强调|粗体]和[分隔线|横线]",
        "[引用|链接][、| ][链接|引用][、| ]强调[、| ]分隔线[和|、| |][数学公式|公式][，演示一下|演示|示例|"
        "长什么样|的效果|]",
        "{qing}用 Markdown [写|演示|展示][引用、链接、强调、分隔线和数学公式|引用、链接、公式]",
    ],
    "code-python": [
        "{qing}[给我看|给我|来|写|展示|显示|演示|看看|随便写|给我看看|贴][一段|段|一点|点|一小段|个|] Python "
        "[示例代码|代码|示例|代码示例|样例|例子|代码片段]",
        "Python [示例|示例代码|代码示例|样例代码][看看|，来一段|]",
        "Python [代码|的代码][长什么样|是什么样的|什么样]",
        "我[想|要]看[一段|看|点] Python [代码|示例代码]",
    ],
    "code-javascript": [
        "{qing}[给我看|给我|来|写|展示|显示|演示|看看|随便写|给我看看|贴][一段|段|一点|点|一小段|个|] "
        "[JavaScript|JS] [示例代码|代码|示例|代码示例|样例|例子|代码片段]",
        "[JavaScript|JS] [示例|示例代码|代码示例|样例代码][看看|，来一段|]",
        "[JavaScript|JS] [代码|的代码][长什么样|是什么样的|什么样]",
        "我[想|要]看[一段|看|点] [JavaScript|JS] [代码|示例代码]",
    ],
    "code-sql": [
        "{qing}[给我看|给我|来|写|展示|显示|演示|看看|随便写|给我看看|贴][一段|段|一点|点|一小段|个|] SQL "
        "[示例代码|代码|示例|代码示例|样例|例子|语句]",
        "SQL [示例|示例代码|代码示例|语句示例][看看|，来一段|]",
        "SQL [代码|语句][长什么样|是什么样的|什么样]",
        "我[想|要]看[一段|看|点] SQL [代码|示例代码|语句]",
    ],
    "email-tone": [
        "{qing}[把|将][这封|上面的|这封|上面这封|我的|][邮件|信|邮件的语气][改得|改|写得|改成|变得|润色得]"
        "[更|][礼貌|客气|委婉|温和|有礼貌|友好|得体]{qita}",
        "{qing}[用|以][礼貌|客气|温和|委婉|友好|更礼貌|更客气]的[语气|口吻|方式|措辞][重写|改写|改|润色]"
        "[一下|][这封邮件|上面的邮件|]",
        "这[封|][邮件|信][太|语气太|][冲|生硬|不客气|粗鲁|重|凶]了，[改得礼貌些|改客气点|帮我改礼貌一点|"
        "请改得委婉些|改一下]",
        "[改写|重写|修改|润色][一下|]这封邮件，[让它|使它|要|语气][更礼貌|礼貌一些|客气一点|更客气|委婉一些]",
    ],
    "meeting-minutes": [
        "{qing}[把|将|用|根据|按照][这些|上面的|以上|我的|上述|下面的|][记录|笔记|会议记录|会议笔记|内容]"
        "[整理|写|整理成|改写|归纳][成|为|出|][一份|一篇|][会议纪要|纪要|正式的会议纪要|规范的会议纪要]",
        "[整理|写|改|汇总][成|为|一份][会议纪要|纪要]",
        "{qing}[根据|按照|用][这些|上面的|以上][记录|笔记|内容][写|整理|出|做|][一份|个|]会议纪要",
        "[这是|这些是|上面是][会议记录|开会的记录|我的笔记|会上记的]，[整理成纪要|写成会议纪要|帮我整理成会议纪要]",
    ],
    "tech-rewrite": [
        "{qing}[把|将][这段|上面的|上面这段|这个|][技术说明|技术文字|技术描述|技术文档|技术内容|说明][改写|"
        "改|写|重写|说|翻译][得|成|][通俗易懂|通俗|好懂|简单易懂|浅显|大白话|普通人能看懂的话|外行也能懂|"
        "通俗一些|容易懂][一些|一点|]",
        "{qing}用[大白话|通俗的话|通俗易懂的话|普通人能懂的话|简单的话|浅显的语言][改写|重写|说明|解释|"
        "重新说][一下|][这段|上面的|这个][技术说明|技术文字|技术内容]",
        "这段[技术说明|技术文字|说明]太[难懂|专业|难|深奥|晦涩]了，[改得通俗些|改通俗点|改写得好懂一点|"
        "请改写得通俗易懂|说人话]",
        "[改写|重写|改]得[通俗易懂|通俗一些|好懂一点]",
    ],
    "weekly-report": [
        "{qing}[根据|按|按照|用|依据|就][这些|上面的|以上|下面的|上述|这周的|][内容|工作内容|工作|要点|记录|"
        "材料|事项][写|生成|整理|出|做|帮我写][一份|一篇|个|份|]周报",
        "{qing}[把|将][这些|上面的|以上|这周的][内容|工作|事情|要点][写|整理|做|变]成[一份|]周报",
        "[写成|整理成|做成|生成][一份|]周报",
        "[这是|这些是|以上是][我|][这周|本周|这个星期][做的事|的工作|干的活|完成的工作]，[写一份周报|"
        "帮我写周报|整理成周报]",
    ],
    "summary": [
        "{qing}[用|以][三|3|三个|3 ]句[话|子|][概括|总结|概述|归纳|说明|简述|总结一下|概括一下|复述]"
        "[这段文字|这段话|上面的文字|上面的内容|这段内容|以上内容|这篇文字|全文|一下]",
        "{qing}[把|将][这段文字|这段话|上面的内容|上文|][概括|总结|缩|浓缩|归纳|压缩|精简][成|为|到][三|3]句[话|]",
        "[三|3]句话[概括|总结|归纳][一下|这段文字|上面的内容|]",
        "[概括|总结|归纳][一下|][这段文字|这段话|上面的内容]，[三句话|用三句话|三句话就行|不超过三句话]",
        "[这段文字|这段话|上面]讲了什么？[用三句话说|三句话概括|三句话]",
    ],
    "translate": [
        "{qing}[把|将][这段话|这段文字|上面的话|这两句|上面这段|以上内容|这些句子|它][翻译|翻|译|转换][成|为]"
        "[英文|英语]",
        "{qing}[翻译|翻|译|英译][成|为|][英文|英语|][这段话|上面的话|一下|]",
        "[这段话|这段文字|上面的话|这个][用|][英文|英语|英文的|英语的|][怎么说|怎么写|怎么翻译|如何表达|怎么翻]",
        "{qing}用[英文|英语][翻译|表达|说|写出][一下|][这段话|上面的话|这段文字]",
        "[中译英|译成英文|英文翻译|翻译成英语][，谢谢|：这段话|]",
    ],
    "proofread": [
        "{qing}[校对|校对一下|检查|修改|改正|订正|审校][这段文字|这段话|上面的文字|上面这段|文中的错误|"
        "这段文字里的错误|错别字|下面的文字][，|][并|并且|再|然后|][列出|说明|标出|写出|列一下][改动|修改|"
        "改了哪些|所有改动|改动的地方|修改之处|错误]",
        "{qing}[把|将]这段[文字|话][校对一遍|校对一下|里的错误改正|的错别字改过来|改正][，|，并]列出[改动|"
        "修改的地方|改了什么]",
        "{qing}[找出|挑出|改正|纠正][这段文字|这段话|文中|上面|][的|][错误|错别字|语病|错别字和语病][，|，并|"
        "并][列出改动|列出来|改正并列出|说明改动]",
        "[校对|校对一下|校对并列出改动|校对，列改动|改错并列出改动]",
        "这段[文字|话][有错吗|有什么错|哪里有错|有没有错别字]？[校对并列出改动|请列出改动|改正并列出]",
    ],
    "code-review": [
        "{qing}[审查|检查|评审|点评|看看|看一下|审查一下|评审一下|检查一下|评价|审阅|过一遍|][这段|上面的|"
        "这个|我的|下面的][代码|函数|程序|Python 代码][有什么问题|有没有问题|有没有错误|写得怎么样|]",
        "{qing}[做|来|做个|做一次|给个|][代码审查|代码评审|code review]",
        "[这段|上面的|这个][代码|函数|程序][有什么问题|有问题吗|写得怎么样|怎么改进|有什么可以改进的|"
        "哪里不好|能不能优化|有 bug 吗|有哪些毛病]",
        "[找出|指出|说说]这段[代码|函数][的|][问题|毛病|bug|错误|不足][，提出建议|]",
    ],
}

PATTERNS = {"en": _ENGLISH, "zh": _CHINESE}

_BEFORE = {
    "en": [
        "please ",
        "Please ",
        "hi, ",
        "Hello, ",
        "ok, ",
        "now ",
        "well, ",
        "so, ",
        "next: ",
        "Hey, ",
        "and now ",
        "sorry, ",
    ],
    "zh": [
        "请",
        "请问，",
        "那个，",
        "好，",
        "你好，",
        "麻烦，",
        "现在",
        "接下来，",
        "嗯，",
        "那么",
        "然后",
        "喂，",
        "好的，",
        "对了，",
    ],
}
_AFTER = {
    "en": [
        " please",
        ", please",
        ", thanks",
        ". Thank you!",
        " for me",
        " now",
        ", will you?",
        " - thanks",
        ". Please.",
    ],
    "zh": [
        "，谢谢",
        "，谢谢！",
        "吧",
        "，麻烦了",
        "，快点",
        "可以吗",
        "好吗",
        "，拜托了",
        "，多谢",
        "，行吗？",
        "谢谢",
    ],
}
_PUNCTUATION = {
    "en": ["", "", ".", "!", "?", "...", " ?", " !"],
    "zh": ["", "", "。", "！", "？", "…", "~", "!", "?", "."],
}
_TO_HALF_WIDTH = str.maketrans("，。？！：；（）“”", ',.?!:;()""')
_TO_FULL_WIDTH = str.maketrans(",?!:;", "，？！：；")


def reword(prompts: list[str], identifier: str, language: str, random: Random) -> str:
    """Returns a listed prompt, or one of a pattern, with or without noise."""
    choice = random.random()
    if choice < 0.25:
        return random.choice(prompts)
    if choice < 0.65:
        return add_noise(random.choice(prompts), language, random)
    sentence = expand(random.choice(PATTERNS[language][identifier]), _SLOTS, random)
    if language == "en" and random.random() < 0.6:
        sentence = sentence[:1].upper() + sentence[1:]
    return sentence if random.random() < 0.4 else add_noise(sentence, language, random)


def add_noise(text: str, language: str, random: Random) -> str:
    """Changes what people vary without a thought: politeness, punctuation, case, spacing, a slip of the finger."""
    if random.random() < 0.12:
        opening = random.choice(_BEFORE[language])
        text = opening + (text[:1].lower() + text[1:] if language == "en" and random.random() < 0.7 else text)
    stripped = text.rstrip(".!?。！？… ~")
    if stripped and random.random() < 0.5:
        text = stripped
        if random.random() < 0.15:
            text += random.choice(_AFTER[language])
        else:
            text += random.choice(_PUNCTUATION[language])
    chance = random.random()
    if chance < 0.08:
        text = text.lower()
    elif chance < 0.10:
        text = text.upper()
    elif chance < 0.12:
        text = text.title()
    elif chance < 0.17:
        text = text.translate(_TO_HALF_WIDTH if language == "zh" else _TO_FULL_WIDTH)
    elif chance < 0.22 and language == "zh":
        text = text.replace(" ", "")
    if random.random() < 0.12:
        text = _slip(text, random)
    return text if text.strip() else stripped


def _slip(text: str, random: Random) -> str:
    """Drops, doubles or swaps one character; digits stay, since they carry the meaning."""
    places = [place for place, character in enumerate(text) if not character.isdigit()]
    if len(places) < 8:
        return text
    place = random.choice(places)
    kind = random.randrange(3)
    if kind == 0:
        return text[:place] + text[place + 1 :]
    if kind == 1:
        return text[:place] + text[place] + text[place:]
    return text[:place] + text[place + 1 : place + 2] + text[place] + text[place + 2 :]
