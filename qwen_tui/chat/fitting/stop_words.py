"""Words of a question that do not say what it is about: those between the others, and those for work and material.

Those for work on a whole text may be what a document is about, too. They count as nothing to find passages by only
where the question has no others.
"""

ENGLISH = """
a about above after again all also am an and answer any anyone anything are as at be because been before being below
between both but by can could describe did do document documents does doing done down during each either every
excerpt explain few file files following for from further get give given had has have having he her here hers him
his how i if in into is it its itself just know let like list main material me more most much must my no nor not now
of off on once one only or other our ours out outline over overview own page pages paper pdf please point points
question questions really report s said same say says shall she short shorten should show slide slides so some
something such summaries summarise summarize summary t tell text than that the their them then there these they this
those through to too translate translation under until up us very was we were what when where which while who whom
whose why will with would write you your yours
"""

CHINESE = """
为什么 什么样 什么时候 什么 怎么样 怎么 怎样 如何 多少 多久 多长 多大 哪一 哪些 哪个 哪里 哪儿 哪年
哪位 几个 是否 有没有 是不是 能不能 可以 请问 请你 一下 一个 一些 这份 这个 这篇 这些 那个 那些
该份 本文 全文 文中 文章 文件 文档 材料 内容 报告 资料 总结 概括 概述 摘要 归纳 简述 简要 说明
介绍 解释 翻译 列出 回答 告诉 给出 根据 关于 按照 以及 或者 并且 但是 因为 所以 我们 你们 他们
它们 自己 主要 要点 大意 讲了 说了 写了
"""

# Particles, which stand between words and at the end of questions. They are rare inside of words.
CHINESE_PARTICLES = "的了吗呢吧"

# Single signs that say as little: they go from the ends of what is left.
CHINESE_SIGNS = (
    "是在和与及或等啊呀嘛我你他她它您这那此其请把被对将从到向往为于由以用有"
    "要会能可谁几个些各每都也还就又很更最已不没给让使之所而且并但若则"
)

# The work that needs a whole text.
OF_WHOLE_ENGLISH = """
condense condensed digest gist outline overview recap recapitulate sum summaries summarise summarised summarising
summarize summarized summarizing summary summing synopsis takeaway takeaways tldr
"""
OF_WHOLE_CHINESE = "总结 概括 概述 摘要 归纳 大意 大概 梳理 提炼 缩写 要点 重点 主旨 中心思想"

# How it is to be done, and the work on a text as such.
WORK_ENGLISH = """
analyse analyze brief briefly bullet bullets comment concise concisely content contents correct critique detail dr
english chinese essential essentials everything highlights idea ideas important improve kind language line lines long
message nutshell paragraph paragraphs paraphrase plain polish proofread read rephrase review rewrite sentences simple
simplify simply subject text texts theme themes thing things tl topic topics understand want word words work
one two three four five six seven eight nine ten
"""
WORK_CHINESE = (
    "[零一二三四五六七八九十百两几]*(?:句话|段话|个字|[句段点条字])(?:以内|左右)?"
    "|分析|改写|润色|校对|精简|简单|简短|简洁|核心|关键|大致|通俗|易懂|中文|英文|评价|看看|读完|读一读|帮忙|谈谈|说说|[帮写做读看讲说成]"
)
