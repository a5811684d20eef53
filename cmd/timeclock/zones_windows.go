package main

import _ "time/tzdata" // Windows has time zones, but not those that settings name
