"""What a reader of the dashboard chooses, and how queries say it."""

from infra.render.queries import ENDPOINT_LABEL, STACK_LABEL

STACK_CHOICE = "stack"
ENDPOINT_CHOICE = "endpoint"

WINDOW = "$__rate_interval"
"""Grafana's own: four scrapes at least, more where the graph is coarser."""

STACK = f'{STACK_LABEL}="${STACK_CHOICE}"'
CHOSEN = f'{STACK},{ENDPOINT_LABEL}=~"${ENDPOINT_CHOICE}"'
