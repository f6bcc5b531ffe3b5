//! What the entries say: who belongs to the tenant, who signed what, and whether what counts and what ran had to.
//!
//! The rules are those of `countersign-domain`, the same that server and desktop fold by. What cannot be judged, because a
//! body is withheld or erased or of a later version, is counted as not judged and never as in order.

use std::collections::{BTreeMap, BTreeSet};

use countersign_domain::{
    Record, UnixMillis, acts,
    bundle::{Content, Entry, Opening},
    decision::{DeviceStanding, SignedBy},
    id::DeviceId,
    journal::Header,
    people::{self, People},
    record::{
        Body as _, Decision, Endorse, Endorsement, Enrol, Erase, Expire, Genesis, InvalidRecord, Kind, Role,
        shortest_kept,
    },
};
use serde::Serialize;

use crate::{nodes::Nodes, proposals::Proposals};

/// What was found while everything was in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Found {
    /// Signatures of devices that hold.
    pub signatures: u64,
    /// Signatures whose device's enrolment is erased or not readable here.
    pub signatures_not_judged: u64,
    /// Decisions that count, found so again.
    pub decisions_effective: u64,
    /// Decisions that were journalled as not counting.
    pub decisions_refused: u64,
    pub decisions_not_judged: u64,
    /// Runs that had the authority that they name.
    pub runs: u64,
    pub runs_not_judged: u64,
    /// Decisions whose device had seen an earlier checkpoint, and it was of this journal.
    pub witnesses: u64,
    /// Devices that the server itself vouched for: nobody but its operator stands behind these.
    pub endorsed_by_server: u64,
    /// Numbers that devices have passed over: they were never sent, or not taken, or are kept back.
    pub device_gaps: u64,
    /// Entries of kinds that this version does not know.
    pub newer: u64,
    /// Bodies that are erased, and nothing up to the end of the bundle says that they were. In a bundle of the whole journal
    /// there are none.
    pub erased_unsaid: u64,
}

/// The journal as far as it was read.
#[derive(Debug)]
pub(crate) struct Judge {
    opening: Opening,
    pub(crate) people: People,
    proposals: Proposals,
    numbers: BTreeMap<DeviceId, Numbers>,
    /// Subjects, apart from proposals, of which something is missing.
    blurred: BTreeSet<String>,
    /// Subjects of which bodies are erased, as long as nothing says why.
    unsaid: BTreeMap<String, Unsaid>,
    found: Found,
}

/// What is missing of a subject without a word.
#[derive(Debug)]
struct Unsaid {
    bodies: u64,
    /// When an entry was last about it.
    last: UnixMillis,
}

/// Which of its numbers a device has used in this journal.
#[derive(Debug, Default)]
struct Numbers {
    /// The highest one of a record that is taken in the device's order.
    ordered: u64,
    highest: u64,
    used: u64,
}

/// Who was found to have signed a record.
pub(crate) enum Signed<'r> {
    /// Nobody, as it has to be.
    Nobody,
    Device(Box<SignedBy<'r>>),
    /// A device whose key is not known here.
    Unknown,
}

/// What a proposal's entries are judged by.
pub(crate) struct World<'a> {
    pub(crate) opening: &'a Opening,
    pub(crate) people: &'a People,
    /// Somebody's standing is not known.
    pub(crate) is_blurred: bool,
}

impl Judge {
    pub(crate) fn new(opening: Opening) -> Self {
        Self {
            opening,
            people: People::default(),
            proposals: Proposals::default(),
            numbers: BTreeMap::new(),
            blurred: BTreeSet::new(),
            unsaid: BTreeMap::new(),
            found: Found::default(),
        }
    }

    /// Takes the next entry. `nodes` is the tree of those before it.
    pub(crate) fn take(&mut self, entry: &Entry, nodes: &Nodes) -> Result<(), String> {
        let header = &entry.header;
        if let Some(unsaid) = self.unsaid.get_mut(&header.subject) {
            unsaid.last = said_at(entry).max(unsaid.last);
        }
        let is_genesis = matches!(&entry.content, Content::Known(record) if record.kind == Kind::Genesis);
        if is_genesis != (header.seq == 1) {
            return Err("a journal has one genesis, and begins with it".to_owned());
        }
        match &entry.content {
            Content::Known(record) => self.known(header, record, nodes),
            Content::Newer => {
                self.found.newer += 1;
                self.missing(header, None);
                Ok(())
            }
            Content::Withheld(kind) => {
                self.missing(header, Some(*kind));
                Ok(())
            }
            Content::Erased(kind) => {
                let unsaid = self.unsaid.entry(header.subject.clone()).or_insert(Unsaid {
                    bodies: 0,
                    last: header.at,
                });
                unsaid.bodies += 1;
                self.missing(header, Some(*kind));
                Ok(())
            }
        }
    }

    fn missing(&mut self, header: &Header, kind: Option<Kind>) {
        if !self.proposals.miss(header, kind) {
            self.blurred.insert(header.subject.clone());
        }
    }

    fn known(&mut self, header: &Header, record: &Record, nodes: &Nodes) -> Result<(), String> {
        let link = record.link();
        let signed = self.signature(record, link)?;
        if record.kind == Kind::Decision {
            self.witness(record, nodes)?;
        }
        if self.people.refused.contains_key(&record.digest) {
            // It stands with its device and says nothing, but is spelled as the device has signed it.
            record.subject().map_err(|error| error.to_string())?;
            self.found.decisions_refused += u64::from(record.kind == Kind::Decision);
            self.count(record.kind, link);
            return Ok(());
        }
        if record.kind == Kind::Erase {
            self.erased(header, record)?;
        }
        if people::KINDS.contains(&record.kind) {
            self.person(header, record, &signed)?;
        } else {
            let world = World {
                opening: &self.opening,
                people: &self.people,
                is_blurred: !self.blurred.is_empty(),
            };
            self.proposals
                .take(header, record, (signed, link), &world, &mut self.found)?;
        }
        self.count(record.kind, link);
        Ok(())
    }

    /// The signature is that of the device which the body names, or there is none where nobody signs.
    fn signature<'r>(
        &mut self,
        record: &'r Record,
        link: Option<(DeviceId, u64)>,
    ) -> Result<Signed<'r>, String> {
        if record.kind == Kind::Enrol {
            let enrol: Enrol = record.body().map_err(|error| error.to_string())?;
            if !record.is_signed_by(&enrol.public_key) {
                return Err("the enrolment is not signed by the key that it enrols".to_owned());
            }
            self.found.signatures += 1;
            return Ok(Signed::Nobody);
        }
        // Who stands in a chain is who has signed: it need not be looked for twice.
        let device = link.map(|(device, _)| device);
        let Some(device) = device.or_else(|| record.signer()) else {
            return match &record.signature {
                None => Ok(Signed::Nobody),
                Some(_) => Err("a signature where no device signs".to_owned()),
            };
        };
        let Some(known) = self.people.devices.get(&device) else {
            if self.blurred.contains(&format!("device/{device}")) {
                self.found.signatures_not_judged += 1;
                return Ok(Signed::Unknown);
            }
            return Err(format!("it names the device {device}, which was never enrolled"));
        };
        let seq = link.map_or(0, |(_, seq)| seq);
        let standing = DeviceStanding {
            user: known.user,
            key: known.key_of(seq),
            revoked: known.revoked_at.is_some(),
            forked: false,
            last_seq: self.numbers.get(&device).map_or(0, |numbers| numbers.ordered),
        };
        let signed = standing.signed(record);
        let signed =
            signed.ok_or_else(|| format!("it is not signed by the device {device} that it names"))?;
        self.found.signatures += 1;
        Ok(Signed::Device(Box::new(signed)))
    }

    /// The journal that the deciding device had seen is this one. It signed that, so the log could not have it forgotten.
    fn witness(&mut self, record: &Record, nodes: &Nodes) -> Result<(), String> {
        let decision: Decision = record.body().map_err(|error| error.to_string())?;
        let Some(seen) = decision.checkpoint.filter(|_| record.signature.is_some()) else {
            return Ok(());
        };
        if seen.size > nodes.size() || !nodes.had_root(seen.size, seen.root) {
            return Err(format!(
                "its device had seen another journal of {} entries: the log has shown two histories",
                seen.size
            ));
        }
        self.found.witnesses += 1;
        Ok(())
    }

    /// Notes the number that a device has used. Those of its runs come when they come.
    fn count(&mut self, kind: Kind, link: Option<(DeviceId, u64)>) {
        let Some((device, seq)) = link else {
            return;
        };
        let numbers = self.numbers.entry(device).or_default();
        let is_ordered = !matches!(kind, Kind::Begin | Kind::Receipt);
        if is_ordered {
            numbers.ordered = seq.max(numbers.ordered);
        }
        numbers.highest = seq.max(numbers.highest);
        numbers.used += 1;
    }

    /// What was found, once all entries were read.
    pub(crate) fn found(&self) -> Found {
        let gaps = self
            .numbers
            .values()
            .map(|numbers| numbers.highest.saturating_sub(numbers.used));
        Found {
            device_gaps: gaps.sum(),
            erased_unsaid: self.unsaid.values().map(|unsaid| unsaid.bodies).sum(),
            ..self.found
        }
    }

    fn person(&mut self, header: &Header, record: &Record, signed: &Signed<'_>) -> Result<(), String> {
        let subject = record.subject().map_err(|error| error.to_string())?;
        if subject != header.subject {
            return Err(format!(
                "the record is about {subject}, and the entry says otherwise"
            ));
        }
        if record.kind == Kind::Genesis {
            let genesis: Genesis = record.body().map_err(|error| error.to_string())?;
            if genesis.tenant != self.opening.tenant {
                return Err("the journal is of another tenant than the bundle says".to_owned());
            }
            if genesis.log_key != self.opening.log_key {
                return Err("the journal names another log key than the one that signs here".to_owned());
            }
        } else if record.kind == Kind::Endorse {
            let endorse: Endorse = record.body().map_err(|error| error.to_string())?;
            self.endorsement(&endorse, signed)?;
        } else if self.blurred.is_empty() {
            self.act(record)?;
        }
        self.people
            .apply(header.at, record)
            .map_err(|error| error.to_string())
    }

    /// Whoever has something erased may, and says so: a person, or the rules in force once nothing was said of it for at least
    /// the shortest time that they keep anything. Which of them it was kept by is among what is gone.
    fn erased(&mut self, header: &Header, record: &Record) -> Result<(), String> {
        let erase: Erase = record.body().map_err(|error| error.to_string())?;
        if erase.subject() != header.subject || erase.tenant != self.opening.tenant {
            return Err("the erasure is not of what the entry is about".to_owned());
        }
        let unsaid = self.unsaid.remove(&header.subject);
        match (erase.by, erase.rules) {
            (Some(_), None) | (None, Some(_)) if !self.blurred.is_empty() => Ok(()),
            (Some(person), None) if self.people.role(person).is_some_and(Role::manages) => Ok(()),
            (None, Some(rules)) if self.people.rules.digest == Some(rules) => {
                let kept = shortest_kept(&self.people.rules.table);
                let kept = kept.ok_or("the rules that had it erased keep everything")?;
                match unsaid {
                    Some(unsaid) if header.at < unsaid.last + kept => {
                        Err("it was erased while the rules still kept it".to_owned())
                    }
                    Some(_) | None => Ok(()),
                }
            }
            (None, Some(_)) => Err("the rules that had it erased are not those in force".to_owned()),
            (Some(_), _) | (None, None) => Err("who had it erased may not".to_owned()),
        }
    }

    /// Who stops, releases or writes rules may.
    fn act(&self, record: &Record) -> Result<(), String> {
        let unread = |error: InvalidRecord| error.to_string();
        let verdict = if record.kind == Kind::Stop {
            acts::stop(&self.people, &record.body().map_err(unread)?)
        } else if record.kind == Kind::Release {
            acts::release(&self.people, &record.body().map_err(unread)?)
        } else if record.kind == Kind::Rules {
            acts::rules(&self.people, &record.body().map_err(unread)?)
        } else if record.kind == Kind::Rotate {
            acts::rotate(&self.people, &record.body().map_err(unread)?)
        } else {
            Ok(())
        };
        verdict.map_err(|reason| format!("it counts and must not: {reason}"))
    }

    /// Whoever vouches for a device may.
    fn endorsement(&mut self, endorse: &Endorse, signed: &Signed<'_>) -> Result<(), String> {
        if !self.blurred.is_empty() {
            return Ok(());
        }
        let devices = &self.people.devices;
        let device = devices
            .get(&endorse.device)
            .filter(|device| device.enrol == endorse.enrol && device.is_waiting())
            .ok_or("it vouches for a device that does not wait for it")?;
        let may = match (endorse.by, signed) {
            (Endorsement::FirstDevice, _) => {
                let owner = self.people.role(device.user) == Some(Role::Owner);
                owner && devices.values().all(|known| known.endorsed_by.is_none())
            }
            (Endorsement::Device(by), Signed::Device(signed)) => {
                let in_service = devices.get(&by).is_some_and(people::Device::is_active);
                in_service && signed.standing().user == device.user
            }
            (Endorsement::Device(_), Signed::Nobody | Signed::Unknown) => false,
            (Endorsement::Admin(by), _) => {
                by != device.user && self.people.role(by).is_some_and(Role::manages)
            }
            (Endorsement::Server, _) => {
                self.found.endorsed_by_server += 1;
                true
            }
        };
        if may {
            Ok(())
        } else {
            Err("who vouches for the device may not".to_owned())
        }
    }
}

/// Up to when something was said of a subject by an entry: an erasure says nothing of it, and an entry that its time is up may
/// be late.
fn said_at(entry: &Entry) -> UnixMillis {
    let Content::Known(record) = &entry.content else {
        return entry.header.at;
    };
    let time = if record.kind == Kind::Erase {
        Some(UnixMillis(i64::MIN))
    } else if record.kind == Kind::Expire {
        record.body::<Expire>().ok().map(|expire| expire.at)
    } else {
        None
    };
    time.map_or(entry.header.at, |time| time.min(entry.header.at))
}
