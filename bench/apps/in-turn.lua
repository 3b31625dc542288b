-- SPDX-License-Identifier: Apache-2.0
-- wrk -s in-turn.lua URL -- FIRST COUNT: the query is user=N with N = FIRST, FIRST + 1, …, modulo COUNT.
local next_one, count

function init(arguments)
    next_one, count = tonumber(arguments[1]), tonumber(arguments[2])
end

function request()
    local user = next_one % count
    next_one = next_one + 1
    return wrk.format(nil, wrk.path .. "?user=" .. user)
end
