//! From the file to the verdict, one entry at a time.

use std::io::{self, BufRead};

use countersign_domain::{
    bundle::{self, Counts, Entry, Event, Opening},
    journal::Checkpoint,
};

use crate::{About, Options, Report, Verdict, judge::Judge, nodes::Nodes, story::Teller};

/// Reads a bundle to its end, or to the first thing that is wrong with it.
///
/// # Errors
/// When the file cannot be read. What is wrong with what it says is in the report.
pub fn verify(bundle: impl BufRead, options: &Options) -> io::Result<Report> {
    let mut reading = Reading {
        options: *options,
        about: None,
        log: None,
        counts: Counts::default(),
        nodes: Nodes::default(),
        teller: options.proposal.map(Teller::new),
    };
    let verdict = match bundle::read(bundle, |event, counts| reading.take(event, counts))? {
        Ok(true) => Verdict::Whole,
        Ok(false) => Verdict::Incomplete,
        Err(fault) => fault.into(),
    };
    Ok(reading.report(verdict))
}

struct Reading {
    options: Options,
    about: Option<About>,
    log: Option<(Checkpoint, Judge)>,
    counts: Counts,
    nodes: Nodes,
    teller: Option<Teller>,
}

impl Reading {
    fn take(&mut self, event: Event, counts: Counts) -> Result<(), String> {
        match event {
            Event::Opened(opening, checkpoint) => self.open(opening, checkpoint)?,
            Event::Entry(entry) => self.entry(&entry)?,
            Event::Ended(_) => self.end()?,
        }
        self.counts = counts;
        Ok(())
    }

    fn open(&mut self, opening: Opening, checkpoint: Checkpoint) -> Result<(), String> {
        self.about = Some(About {
            tenant: opening.tenant,
            name: None,
            log_key: opening.log_key,
            key_checked: self.options.trust == Some(opening.log_key),
            profile: opening.profile,
            size: checkpoint.size,
            root: checkpoint.root,
            until: None,
        });
        if self
            .options
            .trust
            .is_some_and(|trusted| trusted != opening.log_key)
        {
            return Err("the bundle is signed by another key than the one you trust".to_owned());
        }
        self.log = Some((checkpoint, Judge::new(opening)));
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        let Some((_, judge)) = &mut self.log else {
            return Err("an entry before the first line".to_owned());
        };
        judge.take(entry, &self.nodes)?;
        self.nodes.push(entry.leaf);
        if let Some(about) = &mut self.about {
            about.until = Some(entry.header.at);
            if about.name.is_none() {
                about.name = judge.people.tenant.as_ref().map(|tenant| tenant.name.clone());
            }
        }
        if let Some(teller) = &mut self.teller {
            teller.hear(entry, &judge.people);
        }
        Ok(())
    }

    fn end(&self) -> Result<(), String> {
        match &self.log {
            Some((checkpoint, _)) if checkpoint.root == self.nodes.root() => Ok(()),
            _ => Err(
                "the entries do not make the root that the log has signed: it has shown two histories"
                    .to_owned(),
            ),
        }
    }

    fn report(self, verdict: Verdict) -> Report {
        let story = self
            .teller
            .filter(|_| verdict == Verdict::Whole)
            .and_then(|teller| teller.finish(&self.nodes));
        Report {
            verdict,
            about: self.about,
            counts: self.counts,
            found: self.log.map(|(_, judge)| judge.found()).unwrap_or_default(),
            story,
        }
    }
}
