//! The loop: ask, hold against what came before, write, remember.

use std::{io::Write, path::PathBuf, time::Duration};

use countersign_domain::{dsse::PublicKey, journal::Follower};

use crate::{Alarm, CallError, State, StateError, Tenant, begin, take};

/// How long a server that cannot be reached is left alone at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How to follow.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The log key that is known from elsewhere. Without it the one that the journal names is taken, and kept to.
    pub trust: Option<PublicKey>,
    /// How long to wait once everything is here; `None` stops then.
    pub every: Option<Duration>,
}

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The log does not go on as it was. The line is out, and the evidence is in this file.
    #[error("{0}; both signed notes are in {1}")]
    Alarm(Alarm, PathBuf),
    #[error("this folder follows another tenant or another log key")]
    OtherLog,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the lines cannot be written: {0}")]
    Out(std::io::Error),
}

/// Writes the journal to `out`, from where it got to last time. Comes back once everything is here and `settings` say so;
/// else only with what keeps it from going on. `told` hears what passes by itself.
///
/// # Errors
/// Why it ended.
pub async fn follow(
    tenant: &Tenant,
    state: &State,
    settings: &Settings,
    mut out: impl Write,
    told: impl Fn(&str),
) -> Result<(), Ended> {
    let mut kept = state.load()?;
    if let Some(kept) = &kept
        && (kept.tenant != tenant.id() || settings.trust.is_some_and(|key| key != kept.log_key))
    {
        return Err(Ended::OtherLog);
    }
    let mut pause = Duration::from_secs(1);
    loop {
        let after = kept.as_ref().map_or(0, |kept| kept.frontier.size());
        let page = match (tenant.page(after).await, settings.every) {
            (Ok(page), _) => page,
            (Err(CallError::Later(why)), Some(_)) => {
                told(&format!("{why}; asking again in {} s", pause.as_secs()));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
            (Err(error), _) => return Err(error.into()),
        };
        pause = Duration::from_secs(1);
        let taken = match kept.clone() {
            Some(kept) => Ok(kept),
            None => begin(&page, tenant.id(), settings.trust).inspect(|first| {
                if settings.trust.is_none() {
                    told(&format!(
                        "following under the log key {}, which nobody has confirmed",
                        first.log_key
                    ));
                }
            }),
        };
        let taken = taken.and_then(|mut next: Follower| take(&mut next, &page).map(|lines| (next, lines)));
        let (next, lines) = match taken {
            Ok(taken) => taken,
            Err(alarm) => {
                let evidence = state.keep_evidence(tenant.id(), &alarm)?;
                let line = alarm.line(tenant.id(), &evidence.display().to_string());
                write(&mut out, &[line]).map_err(Ended::Out)?;
                return Err(Ended::Alarm(alarm, evidence));
            }
        };
        write(&mut out, &lines).map_err(Ended::Out)?;
        // Only now: what is remembered is not written again.
        state.save(&next)?;
        let is_behind = next
            .heads
            .last()
            .is_some_and(|head| next.frontier.size() < head.size);
        kept = Some(next);
        if is_behind {
            continue;
        }
        match settings.every {
            Some(every) => tokio::time::sleep(every).await,
            None => return Ok(()),
        }
    }
}

fn write(out: &mut impl Write, lines: &[String]) -> Result<(), std::io::Error> {
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}
