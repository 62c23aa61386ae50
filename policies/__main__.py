"""The policy pack: `pulumi preview --policy-pack policies`."""

import gc
from datetime import date
from functools import partial
from pathlib import Path

from pulumi_policy import PolicyPack

from policies.analyzer import NAME
from policies.pack import judge_with_rules, policies_of
from policies.registry import RULES
from policies.settings import stack_settings

LEVELS = Path(__file__).parent / "config"

judge_with_rules(partial(stack_settings, levels_folder=LEVELS, today=date.today()))
# What is loaded by now stays: the collector need not look through it for every resource.
gc.freeze()
PolicyPack(NAME, policies_of(RULES))
