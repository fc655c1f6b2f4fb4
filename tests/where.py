"""Where tests train: on the CPU, or on the device that LOWRES_STILTS_TEST_DEVICE names."""

import os

DEVICE = os.environ.get("LOWRES_STILTS_TEST_DEVICE", "cpu")
