"""Detection of nftables rules that block every visitor."""

import unittest
from typing import Any

from map_app import packets

DPORT = {'payload': {'protocol': 'tcp', 'field': 'dport'}}


def match(left: Any, right: Any, operator: str = '==') -> dict[str, Any]:
    return {'match': {'op': operator, 'left': left, 'right': right}}


def ruleset(*rules: Any, policy: str = 'accept', table: str = 'stranger', hook: str = 'input') -> list[dict[str, Any]]:
    where = {'family': 'inet', 'table': table}
    chain = {**where, 'name': 'in', 'hook': hook, 'type': 'filter', 'policy': policy}
    return [
        {'table': {'family': 'inet', 'name': table}},
        {'chain': chain},
        *({'rule': {**where, 'chain': name, 'expr': list(rule)}} for name, rule in rules),
    ]


class Closing(unittest.TestCase):
    def expect(self, closed: bool, *rules: Any, **chain: Any) -> None:
        assert packets.closing(ruleset(*rules, **chain), 443) == (['inet stranger'] if closed else [])

    def test_a_rule_for_the_port(self) -> None:
        self.expect(True, ('in', [match(DPORT, 443), {'drop': None}]))
        self.expect(True, ('in', [match(DPORT, {'set': [80, 443]}), {'reject': None}]))
        self.expect(True, ('in', [match(DPORT, {'set': [{'range': [1, 1023]}]}), {'drop': None}]))

    def test_a_rule_for_another_port(self) -> None:
        self.expect(False, ('in', [match(DPORT, 25), {'drop': None}]))
        self.expect(False, ('in', [match(DPORT, 443, '!='), {'drop': None}]))

    def test_a_limit_for_each_address(self) -> None:
        over = {
            'set': {
                'op': 'add',
                'elem': {'payload': {'protocol': 'ip', 'field': 'saddr'}},
                'set': '@clients',
                'stmt': [{'ct count': {'val': 1000, 'inv': True}}],
            }
        }
        self.expect(False, ('in', [match(DPORT, 443), over, {'reject': {'type': 'tcp reset'}}]))
        self.expect(False, ('in', [match(DPORT, 443), {'limit': {'rate': 30, 'per': 'minute', 'inv': True}}, {'drop': None}]))

    def test_a_rule_for_some_addresses(self) -> None:
        self.expect(False, ('in', [match({'payload': {'protocol': 'ip', 'field': 'saddr'}}, '192.0.2.1'), {'drop': None}]))

    def test_the_interface(self) -> None:
        self.expect(True, ('in', [match({'meta': {'key': 'iifname'}}, 'lo', '!='), match(DPORT, 443), {'drop': None}]))
        self.expect(False, ('in', [match({'meta': {'key': 'iifname'}}, 'lo'), {'drop': None}]))

    def test_the_policy_of_a_chain(self) -> None:
        self.expect(True, policy='drop')
        self.expect(False, ('in', [match(DPORT, {'set': [22, 443]}), {'accept': None}]), policy='drop')
        self.expect(True, ('in', [match(DPORT, 22), {'accept': None}]), policy='drop')

    def test_the_order_of_rules(self) -> None:
        self.expect(False, ('in', [match(DPORT, 443), {'accept': None}]), ('in', [{'drop': None}]))
        self.expect(True, ('in', [{'drop': None}]), ('in', [match(DPORT, 443), {'accept': None}]))

    def test_a_chain_that_a_rule_jumps_to(self) -> None:
        self.expect(True, ('in', [{'jump': {'target': 'web'}}]), ('web', [match(DPORT, 443), {'drop': None}]))

    def test_packets_of_established_connections(self) -> None:
        self.expect(False, ('in', [match({'ct': {'key': 'state'}}, 'invalid'), {'drop': None}]))
        self.expect(False, ('in', [match({'ct': {'key': 'state'}}, {'set': ['established', 'related']}), {'drop': None}]))
        self.expect(True, ('in', [match({'ct': {'key': 'state'}}, 'new'), match(DPORT, 443), {'drop': None}]))

    def test_rules_of_iptables(self) -> None:
        multiport = {'xt': {'type': 'match', 'name': 'multiport'}}
        refuse = {'xt': {'type': 'target', 'name': 'REJECT'}}
        self.expect(True, ('in', [match(DPORT, 443), refuse]))
        # nft does not print the ports of these rules.
        self.expect(False, ('in', [multiport, {'drop': None}]))
        self.expect(False, ('in', [multiport, refuse]))
        self.expect(False, ('in', [multiport, {'accept': None}]), policy='drop')

    def test_a_chain_that_no_visitor_passes(self) -> None:
        self.expect(False, policy='drop', hook='output')
