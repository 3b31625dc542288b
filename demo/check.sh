# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What demo/run asks for with DEMO_ONCE=1. Needs from it: url, run, fail(), assert_running(), the log in $run/log.
: "${url?}" "${run?}"

failures=0

# report STATUS-OF-THE-CHECK WHAT
report() {
    if [[ $1 == 0 ]]; then
        echo "ok    $2"
    else
        echo "FAIL  $2"
        failures=$((failures + 1))
    fi
}

# get PATH [curl options]: the body, and after it a line with the status.
get() {
    local path=$1
    shift
    curl -s --noproxy '*' --max-time 60 -w '\n%{http_code}\n' "$@" "$url$path"
}

# check STATUS TEXT PATH [curl options]: whether the answer has that status, and that text in it.
check() {
    local status=$1 text=$2 path=$3 answer wrong=0
    shift 3
    answer=$(get "$path" "$@") || wrong=1
    [[ ${answer##*$'\n'} == "$status" && $answer == *"$text"* ]] || wrong=1
    report $wrong "/$path $* → $status, \"$text\""
    [[ $wrong == 0 ]] || printf '%s\n' "$answer" | tail -n 5 | cut -c 1-300
    assert_running
}

# The value of an input element of a page on stdin.
input_value() {
    tr '\n' ' ' | sed -n "s/.*<input[^>]*name=\"$1\"[^>]*value=\"\([^\"]*\)\".*/\1/p"
}

# Edits a page and saves it as a browser does: with the form's fields, its token and the session's cookie.
save_page() {
    local page=demo-$RANDOM text="Written by request $RANDOM" form cookies=$run/nginx/cookies
    local session=(-b "$cookies" -c "$cookies" "$@")
    form=$(get "wiki/doku.php?id=$page&do=edit" "${session[@]}")
    get wiki/doku.php "${session[@]}" -o "$run/nginx/answer" \
        --data-urlencode "id=$page" --data-urlencode "wikitext=$text" --data-urlencode "do[save]=1" \
        --data-urlencode "sectok=$(input_value sectok <<<"$form")" \
        --data-urlencode "date=$(input_value date <<<"$form")" --data-urlencode "prefix=." >"$run/nginx/status"
    check 200 "$text" "wiki/doku.php?id=$page"
    [[ $(stat -c %u:%g "$run/wiki/data/pages/$page.txt") == 30010:30010 ]] || false
    report $? "the page that was saved belongs to the wiki's identity"
}

# check_warm SERVICE TEXT PATH [curl options]: whether a fork answers before long, and right.
check_warm() {
    local service=$1 i
    shift
    for ((i = 0; i < 400; i++)); do
        ! grep -q "service=$service .* warm=yes" "$run/log" || break
        get "$2" "${@:3}" >"$run/nginx/answer"
        sleep 0.05
    done
    [[ $i != 400 ]] || false
    report $? "the service $service is warm"
    check 200 "$@"
}

check_all() {
    check 200 "sandboxd demo" ""
    check 200 "This process is uid 30003" probe
    check 200 "This process is uid 30001" probe -u alice:alice
    check 200 "This process is uid 30002" probe -u bob:bob
    check 401 "" probe -u alice:wrong
    check 401 "" login
    check 302 "" login -u alice:alice
    check 200 "Hello, anonymous." cgi/hello.py
    check 200 "uid 30001" cgi/hello.py -u alice:alice
    check 404 "404 Not Found" cgi/missing.py
    check 200 "as uid 30003. The path is /a/b" wsgi/a/b
    check 200 "hello.git" git/
    check 200 "The same over WSGI" "git/?p=hello.git;a=summary"
    check 200 "" git/static/gitweb.css
    check 200 "DokuWiki under sandboxd" "wiki/doku.php?id=start"
    check 200 "" wiki/lib/exe/css.php
    check 200 "" "wiki/lib/tpl/dokuwiki/images/logo.png" -o "$run/nginx/answer"
    check_warm cgi "uid 30001" cgi/hello.py -u alice:alice
    check_warm wsgi "as uid 30003. The path is /a/b" wsgi/a/b
    check_warm wiki "DokuWiki under sandboxd" "wiki/doku.php?id=start"
    save_page
    save_page -u alice:alice
    [[ $failures == 0 ]] || fail "$failures checks failed"
    echo "every page was right"
}
