//! The two signed words of a log that has shown two histories, as a file for whoever looks into it.

use std::{io::Write as _, path::Path};

use countersign_domain::journal::{AlarmKind, Evidence};
use tokio::task::spawn_blocking;

use crate::{
    Engine, EngineError,
    export::{name, not_written, unfinished},
    seat::Seat,
};

impl Engine {
    /// Writes both notes into the file `to`, in the form that `countersign-follow` keeps them in.
    ///
    /// # Errors
    /// When there is no alarm, or it cannot be written.
    pub async fn save_evidence(&self, to: &Path) -> Result<(), EngineError> {
        let evidence = evidence(&*self.seat()?).await?;
        let text = evidence.to_json().map_err(EngineError::internal)?;
        let to = to.to_owned();
        spawn_blocking(move || {
            let mut file = unfinished(&to)?;
            file.write_all(text.as_bytes())?;
            name(file, &to)
        })
        .await
        .map_err(EngineError::internal)?
        .map_err(not_written)
    }
}

async fn evidence(seat: &Seat) -> Result<Evidence, EngineError> {
    let kept = seat.fork().await?.ok_or_else(EngineError::not_found)?;
    let tenant = seat.tenant();
    let key = seat.people().await?.tenant.as_ref().map(|tenant| tenant.log_key);
    Ok(match (two_notes(&kept), key) {
        (Some((ours, theirs)), Some(key)) => {
            Evidence::of_two(tenant, &key, ours.to_owned(), theirs.to_owned())
        }
        // Whatever is there is given away as it is.
        (Some(_) | None, _) => Evidence {
            alarm: AlarmKind::Fork,
            problem: "the log shows another history than before".to_owned(),
            tenant,
            ours: None,
            theirs: kept,
        },
    })
}

/// Both notes, which are kept one after the other with a newline between. A note has one empty line in it, before its
/// signature, and ends with a newline: the second empty line is the one between.
fn two_notes(kept: &str) -> Option<(&str, &str)> {
    let within = kept.find("\n\n")? + 2;
    let between = within + kept[within..].find("\n\n")? + 1;
    Some((&kept[..between], &kept[between + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_notes_that_are_kept_as_one_text_are_two_again() {
        let (ours, theirs) = ("log\n9\nroot\n\n— log ours\n", "log\n7\nroot\n\n— log theirs\n");
        assert_eq!(two_notes(&format!("{ours}\n{theirs}")), Some((ours, theirs)));
        assert_eq!(two_notes(ours), None, "one is not two");
    }
}
