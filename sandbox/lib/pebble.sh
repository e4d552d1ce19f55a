# shellcheck shell=bash
pebble_stop() { :; }
