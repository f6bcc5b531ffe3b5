//! Chance that can be played again.

/// SplitMix64: all that a test needs of randomness.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds begin far apart.
        Self(seed.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        assert!(end > 0, "nothing to choose from");
        usize::try_from(self.number() % end as u64).expect("below a usize")
    }

    pub(crate) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// Whether the long families run: `make test-long`.
pub(crate) fn is_long() -> bool {
    std::env::var_os("COUNTERSIGN_LONG").is_some()
}

/// The first seed of this run, and how many cases it has: all of them, the one that `SEED` names, or those of `SEED=first..last`,
/// so that the long count can be had in parts.
pub(crate) fn cases(short: u64, long: u64) -> (u64, u64) {
    let number = |text: &str| {
        text.parse::<u64>()
            .expect("SEED is a number, or two of them: 1..500")
    };
    let Ok(seed) = std::env::var("SEED") else {
        return (1, if is_long() { long } else { short });
    };
    match seed.split_once("..") {
        Some((first, last)) => {
            let (first, last) = (number(first), number(last));
            assert!(first <= last, "SEED={seed} has no case");
            (first, last - first + 1)
        }
        None => (number(&seed), 1),
    }
}

/// How to play a case again.
pub(crate) fn replay(seed: u64, test: &str) -> String {
    let commit = std::process::Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .output();
    let commit = commit.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    // Where the long families have larger cases, it is one of these.
    let long = if is_long() { "COUNTERSIGN_LONG=1 " } else { "" };
    format!(
        "SEED={seed} COMMIT={}\nreplay: {long}SEED={seed} cargo nextest run -p {} {test}",
        commit.unwrap_or_else(|_| "unknown".to_owned()),
        env!("CARGO_PKG_NAME")
    )
}

/// Runs the cases on every core and fails with the first one that fails.
pub(crate) fn each(first: u64, count: u64, case: impl Fn(u64) -> Result<(), String> + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        let case = &case;
        let run = move |from: u64| {
            (first + from..first + count)
                .step_by(threads as usize)
                .try_for_each(case)
        };
        let running: Vec<_> = (0..threads).map(|from| scope.spawn(move || run(from))).collect();
        for thread in running {
            if let Err(failure) = thread.join().expect("a case panicked") {
                panic!("{failure}");
            }
        }
    });
}
