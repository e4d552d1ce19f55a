"""Reads nftables rules: which of them keep visitors out."""

from __future__ import annotations

import json
from typing import Any

from .processes import Processes

Entry = dict[str, Any]

OURS = 'inet map_app'
# The hooks that a packet from a visitor to this machine passes.
INBOUND = ('prerouting', 'input', 'ingress')
# How nft prints REJECT of iptables.
REJECTS = {'type': 'target', 'name': 'REJECT'}


def ruleset(processes: Processes) -> list[Entry]:
    """Returns the active rules as `nft -j` prints them, or [] if nft is not installed."""
    try:
        shown = processes.run(['nft', '--json', '--terse', 'list', 'ruleset'])
    except OSError:
        return []
    found: list[Entry] = json.loads(shown.output or '{}').get('nftables', []) if shown.status == 0 else []
    return found


def tables(entries: list[Entry]) -> list[str]:
    return [f'{entry["table"]["family"]} {entry["table"]["name"]}' for entry in entries if 'table' in entry]


def table_of(item: Entry) -> str:
    return f'{item["family"]} {item["table"]}'


def closing(entries: list[Entry], port: int) -> list[str]:
    """
    The tables that keep every visitor away from a TCP port of this machine.
    Rules for some addresses only (fail2ban's, for instance) are not counted.
    """
    chains = [entry['chain'] for entry in entries if 'chain' in entry]
    rules = [entry['rule'] for entry in entries if 'rule' in entry]
    found = []
    for chain in chains:
        if chain.get('hook') not in INBOUND or chain.get('type', 'filter') != 'filter':
            continue
        verdict = judge(chain, rules, port, depth=0)
        if verdict == 'drop' or (verdict is None and chain.get('policy') == 'drop'):
            found.append(table_of(chain))
    return sorted(set(found))


def judge(chain: Entry, rules: list[Entry], port: int, depth: int) -> str | None:
    """Returns 'accept', 'drop', or None if no rule of the chain decides for a new connection of any visitor."""
    for rule in rules:
        if rule['chain'] != chain['name'] or table_of(rule) != table_of(chain) or not applies(rule['expr'], port):
            continue
        for part in rule['expr']:
            if 'accept' in part:
                return 'accept'
            if 'drop' in part or 'reject' in part or part.get('xt') == REJECTS:
                if is_limit(rule['expr']) or is_unreadable(rule['expr']):
                    break
                return 'drop'
            target = (part.get('jump') or part.get('goto') or {}).get('target')
            if target and depth < 8:
                verdict = judge({**chain, 'name': target}, rules, port, depth + 1)
                if verdict:
                    return verdict
    return None


def applies(expressions: list[Any], port: int) -> bool:
    """Returns whether a rule matches a new TCP connection of any visitor to the port."""
    return all(meets(part['match'], port) for part in expressions if isinstance(part, dict) and 'match' in part)


def is_limit(expressions: list[Any]) -> bool:
    """Returns whether a rule matches only packets above a rate or a number of connections."""
    return any('limit' in part or 'ct count' in part or 'stmt' in part.get('set', {}) for part in expressions)


def is_unreadable(expressions: list[Any]) -> bool:
    """Whether nft does not print what a rule matches, as with modules of iptables."""
    return any(part.get('xt', {}).get('type') == 'match' for part in expressions)


def meets(match: Entry, port: int) -> bool:
    left, right, operator = match['left'], match['right'], match.get('op', '==')
    if not isinstance(left, dict):
        return False
    payload, meta = left.get('payload') or {}, left.get('meta') or {}
    if payload.get('field') == 'dport' and payload.get('protocol') in ('tcp', 'th'):
        return holds(right, port) is bool(operator != '!=')
    if meta.get('key') in ('l4proto', 'nfproto') or payload.get('field') in ('protocol', 'nexthdr'):
        return (holds(right, 'tcp') or holds(right, 6) or holds(right, 'ipv4')) is bool(operator != '!=')
    if left.get('ct', {}).get('key') == 'state':
        return holds(right, 'new') is bool(operator != '!=')
    if meta.get('key') in ('iif', 'iifname'):
        # Packets from visitors arrive on any interface except the loopback.
        return holds(right, 'lo') is bool(operator == '!=')
    # Other conditions, such as a source address, a mark or a rate, do not match every visitor.
    return False


def holds(right: object, wanted: object) -> bool:
    """Returns whether a value, set or range of nft contains the wanted value."""
    if isinstance(right, list):
        return any(holds(one, wanted) for one in right)
    if isinstance(right, dict):
        if 'set' in right:
            return holds(right['set'], wanted)
        if 'range' in right and isinstance(wanted, int):
            low, high = right['range']
            return isinstance(low, int) and low <= wanted <= high
        return False
    return bool(right == wanted)
