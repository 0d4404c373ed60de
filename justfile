# `just` lists the recipes; `just check` is what must pass before a change is taken.

default:
    @just --list

# everything that CI runs
check:
    .ci/run

# the tests alone; `just test f_132` runs those of one fault
test *names:
    cargo test {{ names }}

# format, and mend what clippy can
fix:
    cargo fmt
    cargo clippy --fix --allow-dirty --all-targets

# the proxy in front of simulated vendors
demo:
    cargo run --release -- demo

# the column of docs/faults.md that says which tests cover which fault
faults:
    BACKSTAY_WRITE_DOCS=1 cargo test --test all faults

# micro-benchmarks
bench:
    cargo bench
