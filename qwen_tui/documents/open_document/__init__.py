"""Reads OpenDocument: texts, spreadsheets, presentations and drawings, packed or flat."""
