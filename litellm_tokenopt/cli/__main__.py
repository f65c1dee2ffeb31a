"""``python -m litellm_tokenopt.cli``."""

import sys

from . import main

sys.exit(main())
