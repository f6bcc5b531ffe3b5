//! libFuzzer over one reader, as `scripts/fuzz.sh` builds and runs it. `FUZZ_TARGET` names the reader; without it the
//! names of all are printed. What the program itself writes goes to the folder `FUZZ_SEEDS`, for libFuzzer to begin with.

#![no_main]
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "there is nobody to hand a mistake to, and the names are asked for"
)]

use std::{env, fs, path::PathBuf, process, sync::LazyLock};

use countersign_fuzz::{TARGETS, Target, seeds};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("FUZZ_TARGET").unwrap_or_else(|_| {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        process::exit(0)
    });
    let named = TARGETS.iter().find(|target| target.name == name);
    named.expect("FUZZ_TARGET is the name of a reader")
});

libfuzzer_sys::fuzz_target!(init: write_seeds(), |bytes: &[u8]| {
    (TARGET.read)(bytes);
});

fn write_seeds() {
    let seeds = seeds::of(TARGET.name);
    if let Some(folder) = env::var_os("FUZZ_SEEDS").map(PathBuf::from) {
        for (n, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{n}")), seed).expect("the folder can be written");
        }
    }
}
