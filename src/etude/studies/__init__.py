"""The studies of the course: ``chNN_topic/NAME.py``, one file a study; the file's name is the study's name."""
