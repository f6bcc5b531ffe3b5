//! What the program itself writes: where every search begins, and what must be taken.

use std::sync::LazyLock;

use countersign_domain::{
    bundle::{Profile, Writer},
    canonical,
    dsse::{Envelope, PublicKey},
    journal::Checkpoint,
    manifest::Manifest,
    record::{Outcome, Role, Verdict},
    wire::WireEntry,
};
use countersign_replica::{
    Replica,
    testing::{Draft, JournalBuilder},
};

static MADE: LazyLock<(JournalBuilder, PublicKey)> = LazyLock::new(made);
static BUNDLE: LazyLock<Vec<u8>> = LazyLock::new(bundled);
static ENVELOPES: LazyLock<Vec<Envelope>> = LazyLock::new(|| {
    let signed = |entry: &WireEntry| Some(entry.record()?.to_envelope()).filter(|e| !e.signatures.is_empty());
    journal().entries().iter().filter_map(signed).collect()
});

/// The honest journal.
pub fn journal() -> &'static JournalBuilder {
    &MADE.0
}

/// It as a bundle.
pub fn bundle() -> &'static [u8] {
    &BUNDLE
}

/// What devices have signed in it.
pub fn envelopes() -> &'static [Envelope] {
    &ENVELOPES
}

/// The key of the device in it.
pub fn device_key() -> &'static PublicKey {
    &MADE.1
}

/// The manifest of the tool in it.
///
/// # Panics
/// When there is none, which would be this file's mistake.
pub fn manifest() -> Manifest {
    first("manifest")
}

/// What a search for `target` begins with.
///
/// # Panics
/// When there is no such target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let journal = journal();
    match target {
        "envelope" => envelopes().iter().map(to_json).collect(),
        "canonical" => bodies(None)
            .chain([br#"{"a":[null,true,-9007199254740991],"b":"\u0000\"\\"}"#.to_vec()])
            .collect(),
        "proposal" => bodies(Some("proposal")).collect(),
        "decision" => bodies(Some("decision")).collect(),
        "bundle" => vec![bundle().to_vec()],
        "note" => (0..4)
            .map(|back| journal.checkpoint(journal.size() - back).into_bytes())
            .collect(),
        "proofs" => (0..8).map(|n| vec![63 - n, n * 7, n * 5, n, n, n]).collect(),
        "pages" => vec![to_json(&journal.page(0, 4)), to_json(&journal.page(0, 100))],
        "snapshot" => {
            let plain = snapshot();
            vec![zstd::encode_all(&plain[..], 3).expect("it packs"), plain]
        }
        "link" => vec![b"countersign://proposal/0192f3a4-0000-7000-8000-0123456789ab".to_vec()],
        other => panic!("{other} is no target"),
    }
}

fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("wire types are JSON")
}

fn bodies(kind: Option<&'static str>) -> impl Iterator<Item = Vec<u8>> {
    let of_kind = move |entry: &&WireEntry| kind.is_none_or(|kind| entry.kind == kind);
    let found = journal().entries().iter().filter(of_kind);
    found.filter_map(|entry| Some(entry.body.clone()?.into_bytes()))
}

fn first<B: serde::de::DeserializeOwned>(kind: &'static str) -> B {
    let body = bodies(Some(kind)).next().expect("the journal has one");
    canonical::from_slice(&body).expect("it is the journal's own")
}

/// A company in which an agent proposes, people decide on devices, and one call has run.
fn made() -> (JournalBuilder, PublicKey) {
    let mut journal = JournalBuilder::new();
    let bob = journal.member("Bob", Role::Approver);
    let (owner, mut device) = (journal.owner(), journal.device(bob));
    journal.invite("cleo@acme.example", Role::Auditor);
    journal.agent("bookkeeper", None);
    let hostile = Draft {
        note: Some("Please \u{202E}yap\u{202C} <b>now</b>\r\n".to_owned()),
        ..Draft::default()
    };
    let (approved, rejected) = (journal.propose(hostile), journal.propose(Draft::default()));
    let approval = journal.decide_on(approved, &mut device, Verdict::Approve);
    journal.decide_on(rejected, &mut device, Verdict::Reject);
    journal.begin(approved, vec![approval]);
    journal.receipt(approved, Outcome::Completed);
    let withdrawn = journal.propose(Draft::default());
    journal.decide(withdrawn, owner, Verdict::Approve);
    journal.withdraw(withdrawn);
    (journal, device.key.public_key())
}

fn bundled() -> Vec<u8> {
    let journal = journal();
    let key = journal.log_key();
    let head = journal.checkpoint(journal.size());
    let head = Checkpoint::open(&head, journal.tenant(), &key.public_key()).expect("its own head");
    let (mut writer, mut bundle) = Writer::begin(&head, Profile::Full, key).expect("a first line");
    while let Some((after, count)) = writer.next() {
        let from = usize::try_from(after).expect("small");
        let to = from + usize::try_from(count).expect("small");
        bundle.extend(
            writer
                .segment(&journal.entries()[from..to])
                .expect("the next segment"),
        );
    }
    bundle.extend(writer.end().expect("all are written"));
    bundle
}

fn snapshot() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, out) = (folder.path().join("replica.db"), folder.path().join("out.db"));
    let mut replica = Replica::open(&path, None).expect("a new replica");
    replica
        .apply(&journal().page(0, 1_000), &journal().log())
        .expect("the honest journal");
    replica
        .reader()
        .expect("a reader")
        .build_snapshot(&out)
        .expect("a snapshot");
    std::fs::read(out).expect("it was made")
}
