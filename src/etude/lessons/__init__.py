"""The course's text: a folder a chapter, in English and Chinese, and the catalogue that reads it."""
