//! B11: the executor of a call is killed between the call's effect and its receipt. Half of the calls go to where an
//! idempotency key is known again, half to where it is not.
//!
//! The executor is a desktop, a process of its own, which the target ends with SIGKILL once it has written a request down
//! and before it answers. A request that is made again under its key ends every second desktop in the same way, in no order,
//! and is answered to the others. The server runs nothing that has an effect outside of its own file, so there is no such
//! moment in it. A kill counts for the one call that brought it. What became of each call is then looked at from outside:
//! in the target's log, in the tenant's answers, in the desktop's lists, before people have settled it and afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use countersign_domain::execution::MOST_ATTEMPTS;
use countersign_e2e::faults::{World, await_end, text};
use serde_json::json;

use crate::machine;

/// Kills that `make bench` makes.
pub(crate) const KILLS: u64 = 10_000;
/// Companies beside each other: while one waits for a hold, another works.
const COMPANIES: u64 = 6;
/// Calls of a company that wait for their decision or for the end of their hold. A hold is ten seconds, so a desktop that
/// lived shorter than a tenth of a second each time would have to wait.
const AHEAD: u64 = 100;
/// The [`Asked::way`] to where a key is known again; the other one leads to where none is.
const WITH_KEY: usize = 0;
/// When to give up waiting for a call, or for everything to come to rest.
const LATE: Duration = Duration::from_secs(300);

pub(crate) fn run(kills: u64) -> Result<()> {
    let share = move |number| kills / COMPANIES + u64::from(number < kills % COMPANIES);
    let companies: Vec<_> = (0..COMPANIES)
        .map(|number| thread::spawn(move || Company::new()?.live(share(number))))
        .collect();
    let mut all = Found::default();
    for company in companies {
        all.add(&company.join().map_err(|_| anyhow!("a company panicked"))??);
    }
    let [with_key, without] = all.kinds;
    let kills = with_key.kills + without.kills;
    println!(
        "  B11 {kills} kills between effect and receipt in {:.0} s, {:.1} a second, {COMPANIES} companies side by side; {}",
        all.killing.as_secs_f64(),
        kills as f64 / all.killing.as_secs_f64(),
        machine::load()?
    );
    for (what, more, kind) in [
        ("where a key is known again", "duplicates", with_key),
        ("where no key is known", "silent retries", without),
    ] {
        println!(
            "  B11 {what}: {} kills, {} calls, {} requests, {} {more}; {} completed by asking again, {} unknown until people had settled them",
            kind.kills,
            kind.calls,
            kind.requests,
            kind.effects - kind.calls,
            kind.calls - kind.unknown,
            kind.unknown
        );
    }
    println!(
        "  checked: every state and list, every journal by its desktop and countersign-verify, every database"
    );
    Ok(())
}

/// Whether a request that is made again ends this desktop too: half of them, in no order that the calls could have as well.
const fn ends_repeats(desktop: u64) -> bool {
    desktop.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 0
}

/// What was found of one kind of calls.
#[derive(Clone, Copy, Default)]
struct Kind {
    kills: u64,
    /// Calls whose request has ended a desktop.
    calls: u64,
    /// How often these were requested, each under the same key; another key is an error.
    requests: u64,
    /// How often they have happened.
    effects: u64,
    /// Calls that the tenant and the desktop's lists had as unknown.
    unknown: u64,
}

#[derive(Default)]
struct Found {
    /// Of each [`Asked::way`].
    kinds: [Kind; 2],
    /// From the first call to the last kill, of the slowest company.
    killing: Duration,
}

impl Found {
    fn add(&mut self, other: &Self) {
        for (mine, other) in self.kinds.iter_mut().zip(other.kinds) {
            mine.kills += other.kills;
            mine.calls += other.calls;
            mine.requests += other.requests;
            mine.effects += other.effects;
            mine.unknown += other.unknown;
        }
        self.killing = self.killing.max(other.killing);
    }
}

/// A call to the target.
struct Asked {
    /// Of its proposal.
    id: String,
    /// Over which connection.
    way: usize,
    /// What people say of it once it is unknown.
    happened: bool,
}

/// A company whose desktop is killed at each call.
struct Company {
    world: World,
    /// Of each [`Asked::way`].
    connections: [String; 2],
    /// By the path of its request.
    asked: BTreeMap<String, Asked>,
}

impl Company {
    fn new() -> Result<Self> {
        let world = World::new()?;
        Ok(Self {
            connections: [
                world.connect_target("safe", Some(86_400))?,
                world.connect_target("blind", None)?,
            ],
            world,
            asked: BTreeMap::new(),
        })
    }

    fn live(mut self, kills: u64) -> Result<Found> {
        let lived = self.lives(kills);
        lived.with_context(|| self.world.remains())
    }

    fn lives(&mut self, kills: u64) -> Result<Found> {
        let begin = Instant::now();
        self.kill(kills)?;
        let killing = begin.elapsed();
        let killed = BTreeSet::from_iter(self.world.target.fatal());

        self.others_pass()?;
        let unknown = self.judge(&killed, |_| "unknown")?;
        let said = self.world.said.clone();
        let shown = self.world.hand.as_mut().context("a desktop")?.unknown(&said)?;
        ensure!(
            shown == unknown,
            "{} of {} are in the desktop's lists",
            shown.len(),
            unknown.len()
        );

        for asked in self.asked.values().filter(|asked| unknown.contains(&asked.id)) {
            let word = json!({"happened": asked.happened, "note": "As the other side has written it down"});
            self.world
                .post(&format!("/api/assistant/proposals/{}/resolve", asked.id), &word)?;
        }
        self.world.kill()?;
        self.others_pass()?;
        self.judge(
            &killed,
            |asked| if asked.happened { "completed" } else { "failed" },
        )?;
        let found = self.count(&killed, &unknown, killing);
        self.world.verify()?;
        Ok(found)
    }

    /// Desktop after desktop, each of which is ended by the first call that it makes.
    fn kill(&mut self, kills: u64) -> Result<()> {
        // Nobody is to run a call, or be in the middle of one, whom its effect would not end.
        if let Some(hand) = self.world.hand.take() {
            hand.kill()?;
        }
        let mut killed = 0;
        while killed < kills {
            let open = self.asked.len() - self.world.target.effects().len();
            for _ in open as u64..AHEAD.min(kills - killed) {
                self.ask()?;
            }
            self.world.start_hand(None)?;
            let hand = self.world.hand.as_ref().context("a desktop")?;
            self.world.target.end_at_effect(hand.id(), ends_repeats(killed));
            await_end(&mut self.world.hand, LATE)?;
            let before = std::mem::replace(&mut killed, self.world.target.fatal().len() as u64);
            ensure!(
                killed == before + 1,
                "no call was made by a desktop that had some to make"
            );
        }
        Ok(())
    }

    /// Proposes the next call as an agent does, under a key of its own.
    fn ask(&mut self) -> Result<String> {
        let number = self.asked.len();
        let (path, way) = (format!("/call/{number}"), number % 2);
        let connection = &self.connections[way];
        let input = json!({"method": "POST", "path": path, "body": "{}"});
        let body = json!({"toolId": "http.request", "connection": connection, "input": input});
        let key = format!("call-{number}");
        let answer = self.world.sure(|world| world.propose(&key, &body))?;
        let asked = Asked {
            id: text(&answer["proposalRecord"], "aiToolCallId")?,
            way,
            happened: number % 4 < 2,
        };
        self.asked.insert(path.clone(), asked);
        Ok(path)
    }

    /// With nobody to end it, a desktop runs what is asked for after everything else: whatever would run again by itself
    /// has had its turn before.
    fn others_pass(&mut self) -> Result<()> {
        self.world.recover()?;
        let last = [self.ask()?, self.ask()?];
        let begin = Instant::now();
        for path in last {
            let call = format!("/api/assistant/proposals/{}", self.asked[&path].id);
            while text(&self.world.get(&call)?, "status")? != "completed" {
                ensure!(begin.elapsed() < LATE, "{path} never ran");
                thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    /// Every call has left once, or again under its own key where it takes one, and is what it should be: those whose last
    /// request was killed as `state` says, all others done. The ids of the former.
    fn judge(
        &self,
        killed: &BTreeSet<String>,
        state: impl Fn(&Asked) -> &'static str,
    ) -> Result<BTreeSet<String>> {
        let (requests, states) = (self.world.target.requests(), self.states()?);
        let answered = self.world.target.answered();
        let mut ids = BTreeSet::new();
        for (path, asked) in &self.asked {
            let key = if asked.way == WITH_KEY {
                asked.id.as_str()
            } else {
                ""
            };
            let requests = requests.get(path).map(Vec::as_slice).unwrap_or_default();
            // Killed each time, and out of attempts.
            let lost = killed.contains(path) && !answered.contains(path);
            let times = match asked.way {
                WITH_KEY if lost => usize::from(MOST_ATTEMPTS)..=usize::from(MOST_ATTEMPTS),
                WITH_KEY if killed.contains(path) => 2..=usize::from(MOST_ATTEMPTS),
                _ => 1..=1,
            };
            ensure!(
                requests.iter().all(|with| with == key) && times.contains(&requests.len()),
                "{path} of {} was requested under {requests:?}",
                asked.id
            );
            let wanted = if lost {
                ids.insert(asked.id.clone());
                state(asked)
            } else {
                "completed"
            };
            let found = states.get(&asked.id).map(String::as_str);
            ensure!(found == Some(wanted), "{} is {found:?}, not {wanted}", asked.id);
        }
        ensure!(
            states.len() == self.asked.len(),
            "{} proposals of {}",
            states.len(),
            self.asked.len()
        );
        Ok(ids)
    }

    /// The state of every proposal of the tenant.
    fn states(&self) -> Result<BTreeMap<String, String>> {
        let (mut states, mut after) = (BTreeMap::new(), String::new());
        loop {
            let page = self
                .world
                .get(&format!("/api/assistant/proposals?limit=200{after}"))?;
            for proposal in page["proposals"].as_array().context("proposals")? {
                states.insert(text(proposal, "id")?, text(proposal, "status")?);
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(states),
            }
        }
    }

    fn count(&self, killed: &BTreeSet<String>, unknown: &BTreeSet<String>, killing: Duration) -> Found {
        let mut found = Found {
            killing,
            ..Found::default()
        };
        let (requests, effects) = (self.world.target.requests(), self.world.target.effects());
        for path in self.world.target.fatal() {
            found.kinds[self.asked[&path].way].kills += 1;
        }
        for path in killed {
            let kind = &mut found.kinds[self.asked[path].way];
            kind.calls += 1;
            kind.requests += requests[path].len() as u64;
            kind.effects += effects[path] as u64;
            kind.unknown += u64::from(unknown.contains(&self.asked[path].id));
        }
        found
    }
}
