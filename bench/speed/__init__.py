"""Side by side with what learners use today: ``python -m bench``."""
