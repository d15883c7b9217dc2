"""What every test shares."""

from hypothesis import settings

# How long an example takes says more of the machine, which is shared, than of the code.
settings.register_profile("shared_machine", parent=settings(), deadline=None)
settings.load_profile("shared_machine")
