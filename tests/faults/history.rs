//! What was asked of a company that is killed over and over, and what became of that.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use countersign_domain::execution::MOST_ATTEMPTS;
use countersign_e2e::{
    company::OWNER,
    faults::{Said, World, text},
    smtp::MailServer,
};
use serde_json::{Value, json};

/// A company, and everything that it was asked for.
pub(crate) struct History {
    pub(crate) world: World,
    mail: MailServer,
    /// What was asked for, by proposal.
    asked: BTreeMap<String, Asked>,
    number: u64,
    /// Over which calls go: one to what takes an idempotency key again, one to what does not, and one for mail.
    connections: [String; 3],
}

/// How many kinds of things are asked for, one after the other.
pub(crate) const KINDS: u64 = 7;

/// What a proposal asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Asked {
    /// A request to the target at this path.
    Request(String),
    /// A mail of this subject.
    Mail(String),
    /// A task of this title.
    Task(String),
    /// A reading of the tenant's health: runs by itself.
    Health,
    /// To be rejected.
    Nothing,
}

impl History {
    pub(crate) fn new() -> Result<Self> {
        let (mut world, mail) = (World::new()?, MailServer::start()?);
        let connected = connect(&world, &mail);
        let connections = connected.with_context(|| world.remains())?;
        Ok(Self {
            world,
            mail,
            asked: BTreeMap::new(),
            number: 0,
            connections,
        })
    }

    /// Asks for one thing more, as an agent does: the same request under the same key until it is answered. Gives up where
    /// nobody answers for long; it is asked again the next time.
    pub(crate) fn ask(&mut self) -> Result<()> {
        let number = self.number;
        let path = format!("/p{number}");
        let (asked, body) = match number % KINDS {
            0 | 3 => {
                let connection = &self.connections[usize::from(number % KINDS == 3)];
                let input = json!({"method": "POST", "path": path, "body": "{}"});
                let body = json!({"toolId": "http.request", "connection": connection, "input": input});
                (Asked::Request(path), body)
            }
            1 | 4 => {
                let title = format!("Number {number}");
                let body = json!({"text": format!("create task: {title}")});
                (Asked::Task(title), body)
            }
            2 => (Asked::Health, json!({"text": "system health"})),
            6 => {
                let subject = format!("Number {number}");
                let input = json!({"to": ["dan@example.com"], "subject": subject, "body": "Dear Dan."});
                let body = json!({"toolId": "email.send", "connection": self.connections[2], "input": input});
                (Asked::Mail(subject), body)
            }
            _ => (
                Asked::Nothing,
                json!({"text": format!("create task: Please refuse {number}")}),
            ),
        };
        for _ in 0..20 {
            if let Ok((status, answer)) = self.world.propose(&format!("ask-{number}"), &body) {
                // What policy lets through is asked for under a key that is still running.
                ensure!(status == 200 || status >= 500, "a proposal: {status} {answer}");
                if status == 200 {
                    let id = text(&answer["proposalRecord"], "aiToolCallId")?;
                    ensure!(
                        self.asked.insert(id, asked).is_none(),
                        "two keys, one proposal: {answer}"
                    );
                    self.number += 1;
                    return Ok(());
                }
            }
            if self.world.server_is_down()? {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(25));
        }
        Ok(())
    }

    /// Waits until everything that was asked for has come to its end, each for at most so long, then looks at all of it.
    pub(crate) fn settle(&mut self, limit: Duration) -> Result<Summary> {
        self.world.recover()?;
        let mut ends = BTreeMap::new();
        for id in self.asked.keys() {
            let begin = Instant::now();
            loop {
                let detail = self.world.get(&format!("/api/assistant/proposals/{id}"))?;
                let status = text(&detail, "status")?;
                if !matches!(status.as_str(), "proposed" | "pending" | "running") {
                    ends.insert(id.clone(), (status, detail));
                    break;
                }
                // Neither is armed any more.
                for process in [&mut self.world.server, &mut self.world.hand]
                    .into_iter()
                    .flatten()
                {
                    ensure!(
                        process.ended()?.is_none(),
                        "somebody else has killed it while {id} was waited for"
                    );
                }
                ensure!(begin.elapsed() < limit, "{id} never came to its end: {detail}");
                thread::sleep(Duration::from_millis(250));
            }
        }
        let summary = self.judge(&ends)?;
        self.world.verify()?;
        Ok(summary)
    }

    /// 0 double effects, 0 lost decisions, 0 wrong states.
    fn judge(&self, ends: &BTreeMap<String, (String, Value)>) -> Result<Summary> {
        let effects = self.world.target.effects();
        let tasks = self.world.tasks()?;
        let mails = self.mails()?;
        let mut summary = Summary::default();
        for (path, keys) in self.world.target.requests() {
            // Only what the target knows again is asked again.
            let most = if keys[0].is_empty() { 1 } else { MOST_ATTEMPTS };
            ensure!(
                keys.len() <= usize::from(most) && effects[&path] == 1,
                "{path} was requested {} times, under {keys:?}",
                keys.len()
            );
            summary.again += usize::from(keys.len() > 1);
        }
        for (id, (status, detail)) in ends {
            let asked = &self.asked[id];
            let happened = match asked {
                Asked::Request(path) => effects.contains_key(path),
                Asked::Task(title) => {
                    let made = tasks.iter().filter(|task| *task == title).count();
                    ensure!(made <= 1, "{title} was made {made} times");
                    made == 1
                }
                Asked::Mail(subject) => {
                    let arrived = mails.iter().filter(|mail| *mail == subject).count();
                    ensure!(arrived <= 1, "{subject:?} arrived {arrived} times");
                    match status.as_str() {
                        "completed" => summary.mails_completed += 1,
                        "unknown" => summary.mails_unknown += 1,
                        _ => {}
                    }
                    arrived == 1
                }
                Asked::Health => status == "completed",
                Asked::Nothing => false,
            };
            let allowed: &[&str] = match (asked, happened) {
                (Asked::Request(_) | Asked::Mail(_), true) => &["completed", "unknown"],
                (Asked::Request(_) | Asked::Mail(_), false) => &["failed", "unknown"],
                // One transaction: a task is there exactly when its proposal is done.
                (Asked::Task(_), true) => &["completed"],
                (Asked::Task(_), false) => &[],
                (Asked::Health, _) => &["completed", "failed"],
                (Asked::Nothing, _) => &["rejected"],
            };
            ensure!(
                allowed.contains(&status.as_str()),
                "{id} {asked:?} is {status}, and it {}: {detail}",
                if happened { "happened" } else { "did not happen" }
            );
            match status.as_str() {
                "completed" => summary.completed += 1,
                "failed" => summary.failed += 1,
                "unknown" => summary.unknown += 1,
                _ => summary.rejected += 1,
            }
        }
        let said = Said::of(&self.world.said);
        for id in &said.saved {
            let detail = match ends.get(id) {
                Some((_, detail)) => detail.clone(),
                // The answer to who asked was lost, and its key was free again when it was asked for once more.
                None => self.world.get(&format!("/api/assistant/proposals/{id}"))?,
            };
            let decisions = detail["decisions"].as_array().context("decisions")?;
            ensure!(
                decisions.iter().any(|decision| decision["void"].is_null()),
                "the saved decision about {id} is lost: {detail}"
            );
        }
        summary.saved = said.saved.len();
        let quarantined = self
            .world
            .devices()?
            .iter()
            .any(|device| device["state"] == "revoked");
        ensure!(!quarantined, "a crash must not look like a key in two hands");
        Ok(summary)
    }

    /// The subject of each mail that has arrived.
    fn mails(&self) -> Result<Vec<String>> {
        let subject = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let line = text.lines().find_map(|line| line.strip_prefix("Subject: "));
            line.map(str::to_owned).context("a mail without a subject")
        };
        let mails = self.mail.mails()?;
        mails.iter().map(|mail| subject(&mail.bytes)).collect()
    }
}

/// Two ways to the target and one to the mail server.
fn connect(world: &World, mail: &MailServer) -> Result<[String; 3]> {
    let config = json!({
        "from": OWNER, "host": "127.0.0.1", "port": mail.port(), "tls": "none",
    });
    Ok([
        world.connect_target("safe", Some(86_400))?,
        world.connect_target("blind", None)?,
        world.connect("smtp", "mail", &config)?,
    ])
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            completed,
            failed,
            unknown,
            again,
            rejected,
            mails_completed,
            mails_unknown,
            saved,
        } = self;
        *completed += other.completed;
        *failed += other.failed;
        *unknown += other.unknown;
        *again += other.again;
        *rejected += other.rejected;
        *mails_completed += other.mails_completed;
        *mails_unknown += other.mails_unknown;
        *saved += other.saved;
    }
}

/// How it all ended.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Summary {
    pub(crate) completed: usize,
    pub(crate) failed: usize,
    pub(crate) unknown: usize,
    /// Requests that were made more than once.
    pub(crate) again: usize,
    pub(crate) rejected: usize,
    pub(crate) mails_completed: usize,
    pub(crate) mails_unknown: usize,
    /// Decisions that the desktop has called saved.
    pub(crate) saved: usize,
}
