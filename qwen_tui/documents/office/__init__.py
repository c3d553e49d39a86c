"""Reads the formats of Microsoft Office: Word, PowerPoint and Excel, since 2007."""
