"""The policy pack: `pulumi preview --policy-pack policies`."""

import gc
import os
from datetime import date
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

from policies import settings
from policies.pack import NAME, judge_with_rules, policies_of
from policies.registry import RULES

judge_with_rules(settings.as_of(os.environ, date.today()), settings.exemptions(os.environ))
levels = settings.levels(os.environ, Path(__file__).parent / "config")
# What is loaded by now stays: the collector need not look through it for every resource.
gc.freeze()
PolicyPack(
    name=NAME,
    policies=policies_of(RULES),
    initial_config={name: EnforcementLevel(level) for name, level in levels.items()},
)
