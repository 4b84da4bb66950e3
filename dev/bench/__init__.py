"""Speed, as ratios against what users would send or write otherwise, measured in one run."""

from __future__ import annotations
