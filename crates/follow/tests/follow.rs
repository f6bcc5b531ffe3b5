//! Following a journal over HTTP: an honest server's, and those of servers that are not.

// Helpers of tests are tests to clippy too.
#![cfg(test)]

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, extract::Query, http::HeaderMap, routing::get};
use countersign_domain::{
    dsse::PublicKey,
    id::TenantId,
    journal::Checkpoint,
    record::{Mode, Role},
    wire::JournalPage,
};
use countersign_replica::testing::{Draft, JournalBuilder};
use countersign_server::{Config, NewTenant, Server};
use serde_json::Value;
use tempfile::TempDir;

const TOKEN: &str = "cs_session_of_an_auditor";

/// How a server answers: from which entry on, how many.
type Answer = Box<dyn Fn(u64, usize) -> JournalPage + Send>;

/// A server that sends whatever page the test wants.
struct Anyone {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
}

impl Anyone {
    async fn new(answer: impl Fn(u64, usize) -> JournalPage + Send + 'static) -> Self {
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let asked = Arc::clone(&answer);
        let page = move |headers: HeaderMap, Query(query): Query<Vec<(String, String)>>| {
            assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
            let number = |name: &str| {
                query
                    .iter()
                    .find(|(known, _)| known == name)
                    .unwrap()
                    .1
                    .parse()
                    .unwrap()
            };
            let page = (asked.lock().unwrap())(number("after"), number("limit") as usize);
            async move { axum::Json(page) }
        };
        let router = Router::new().route("/api/journal", get(page));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self { address, answer }
    }

    /// From here on it answers so.
    fn turn(&self, answer: impl Fn(u64, usize) -> JournalPage + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }
}

/// An honest journal as pages.
fn honest(journal: &JournalBuilder) -> impl Fn(u64, usize) -> JournalPage + Send + 'static {
    let journal = journal.clone();
    // Small pages, so that the first head is reached in several.
    move |after, limit| journal.page(after, limit.min(4))
}

struct Desk {
    folder: TempDir,
    tenant: TenantId,
}

impl Desk {
    fn new(tenant: TenantId, token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), format!("{token}\n")).unwrap();
        Self { folder, tenant }
    }

    fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    /// Follows once to the end of the journal, and gives what came out.
    async fn follow(&self, server: SocketAddr, more: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-follow"));
        command
            .args([
                "--server",
                &format!("http://{server}"),
                "--tenant",
                &self.tenant.to_string(),
                "--once",
            ])
            .arg("--token-file")
            .arg(self.folder.path().join("token"))
            .arg("--state")
            .arg(self.state())
            .args(more)
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        Run::of(output)
    }

    fn evidence(&self, alarm: &str) -> Vec<Value> {
        let files = fs::read_dir(self.state())
            .unwrap()
            .map(|file| file.unwrap().path());
        let begins = format!("evidence-{alarm}-");
        files
            .filter(|path| {
                Path::file_name(path)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(&begins)
            })
            .map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
            .collect()
    }
}

struct Run {
    code: i32,
    lines: Vec<Value>,
    told: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = String::from_utf8(output.stdout).unwrap();
        Self {
            code: output.status.code().unwrap(),
            lines: text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            told: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn entries(&self) -> Vec<u64> {
        let entries = self.lines.iter().filter(|line| line["type"] == "entry");
        entries.map(|line| line["seq"].as_u64().unwrap()).collect()
    }

    /// The alarm that this ended in: its last line.
    fn alarm(&self) -> &str {
        assert_eq!(self.code, 1, "{}", self.told);
        let last = self.lines.last().unwrap();
        assert_eq!(last["type"], "alarm");
        last["alarm"].as_str().unwrap()
    }
}

fn journal() -> JournalBuilder {
    let mut journal = JournalBuilder::new();
    journal.member("Ana Alvarez", Role::Approver);
    for _ in 0..5 {
        journal.propose(Draft::default());
    }
    journal
}

#[tokio::test]
async fn every_entry_comes_out_once_and_in_order_over_several_starts() {
    let mut journal = journal();
    let server = Anyone::new(honest(&journal)).await;
    let desk = Desk::new(journal.tenant(), TOKEN);
    let first = desk.follow(server.address, &[]).await;
    assert_eq!(first.code, 0, "{}", first.told);
    assert_eq!(first.entries(), (1..=journal.size()).collect::<Vec<_>>());
    assert!(
        first.told.contains(&journal.log_key().public_key().to_string()),
        "{}",
        first.told
    );
    let entry = &first.lines[0];
    assert_eq!(entry["body"]["name"], "Acme", "bodies are JSON, not text");
    let heads: Vec<_> = first.lines.iter().filter(|line| line["type"] == "head").collect();
    assert_eq!(heads.len(), 1, "one for each signed head");
    let note = heads[0]["checkpoint"].as_str().unwrap();
    let key = journal.log_key().public_key();
    assert!(
        Checkpoint::open(note, journal.tenant(), &key).is_ok(),
        "kept elsewhere it is a witness"
    );

    let again = desk.follow(server.address, &[]).await;
    assert_eq!((again.code, again.lines.len()), (0, 0), "nothing is new");
    let from = journal.size();
    journal.propose(Draft::default());
    server.turn(honest(&journal));
    let more = desk.follow(server.address, &["--trust", &key.to_string()]).await;
    assert_eq!(more.entries(), (from + 1..=journal.size()).collect::<Vec<_>>());
}

#[tokio::test]
async fn another_history_is_an_alarm_with_both_notes_and_stays_one() {
    let mut ours = journal();
    let mut theirs = ours.clone();
    ours.propose(Draft::default());
    theirs.member("Mallory", Role::Owner);
    theirs.propose(Draft::default());
    theirs.propose(Draft::default());
    let server = Anyone::new(honest(&ours)).await;
    let desk = Desk::new(ours.tenant(), TOKEN);
    assert_eq!(desk.follow(server.address, &[]).await.code, 0);
    server.turn(honest(&theirs));
    for _ in 0..2 {
        let forked = desk.follow(server.address, &[]).await;
        assert_eq!(forked.alarm(), "fork");
        assert!(
            forked.entries().is_empty(),
            "nothing of the other history is passed on"
        );
    }
    let evidence = desk.evidence("fork");
    assert_eq!(evidence.len(), 1, "the same alarm again is the same evidence");
    let key = ours.log_key().public_key();
    for (note, size) in [("ours", ours.size()), ("theirs", theirs.size())] {
        let note = evidence[0][note].as_str().unwrap();
        let checkpoint = Checkpoint::open(note, ours.tenant(), &key).unwrap();
        assert_eq!(checkpoint.size, size, "both are signed by the log");
    }
    server.turn(honest(&ours));
    assert_eq!(
        desk.follow(server.address, &[]).await.code,
        0,
        "nothing was forgotten"
    );
}

#[tokio::test]
async fn a_journal_that_has_become_shorter_is_an_alarm() {
    let journal = journal();
    let server = Anyone::new(honest(&journal)).await;
    let desk = Desk::new(journal.tenant(), TOKEN);
    assert_eq!(desk.follow(server.address, &[]).await.code, 0);
    let earlier = journal.clone();
    server.turn(move |after, limit| earlier.page_as_of(after.min(4), limit, earlier.size() - 2));
    assert_eq!(desk.follow(server.address, &[]).await.alarm(), "rollback");
    assert_eq!(desk.evidence("rollback").len(), 1);
}

#[tokio::test]
async fn a_gap_is_an_alarm() {
    let journal = journal();
    let server = Anyone::new({
        let journal = journal.clone();
        move |after, limit| journal.page(after, limit.min(4))
    })
    .await;
    let desk = Desk::new(journal.tenant(), TOKEN);
    server.turn({
        let journal = journal.clone();
        move |after, limit| {
            let mut page = journal.page(after, limit.min(4));
            if after == 4 {
                page.entries.remove(1);
            }
            page
        }
    });
    let run = desk.follow(server.address, &[]).await;
    assert_eq!(run.alarm(), "gap");
    assert_eq!(run.entries(), [1, 2, 3, 4], "what was in order is out");
    assert!(
        run.lines.last().unwrap()["problem"]
            .as_str()
            .unwrap()
            .contains("entry 7 came where entry 6 was due")
    );
    let evidence = desk.evidence("gap");
    assert!(evidence[0]["ours"].is_string() && evidence[0]["theirs"].is_string());
}

type Spoil = fn(&mut JournalPage);

#[tokio::test]
async fn what_the_log_has_not_signed_never_becomes_a_line() {
    let journal = journal();
    let spoilt: [(&str, Spoil); 5] = [
        ("another body", |page| {
            let body = page.entries[1].body.as_mut().unwrap();
            *body = body.replace("Olga", "Eve!");
        }),
        ("another header", |page| page.entries[1].subject.push('x')),
        ("another signature", |page| {
            page.checkpoint = page.checkpoint.replace('A', "B");
        }),
        ("a proof of something else", |page| page.consistency.clear()),
        ("a line inside of a body of a kind that nobody knows", |page| {
            page.entries[1].kind = "treaty".to_owned();
            page.entries[1].body = Some("{}\n{\"type\":\"alarm\"}".to_owned());
        }),
    ];
    for (what, spoil) in spoilt {
        let pages = honest(&journal);
        let server = Anyone::new(move |after, limit| {
            let mut page = pages(after, limit);
            spoil(&mut page);
            page
        })
        .await;
        let desk = Desk::new(journal.tenant(), TOKEN);
        let run = desk.follow(server.address, &[]).await;
        assert_eq!(run.alarm(), "tampered", "{what}");
        assert!(run.entries().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn another_log_than_the_trusted_one_is_not_followed() {
    let journal = journal();
    let server = Anyone::new(honest(&journal)).await;
    let stranger: PublicKey = countersign_domain::dsse::SigningKey::from_seed(&[9; 32]).public_key();
    let desk = Desk::new(journal.tenant(), TOKEN);
    let run = desk
        .follow(server.address, &["--trust", &stranger.to_string()])
        .await;
    assert_eq!(run.alarm(), "tampered");
    assert_eq!(desk.follow(server.address, &[]).await.code, 0);
    let run = desk
        .follow(server.address, &["--trust", &stranger.to_string()])
        .await;
    assert_eq!(run.code, 69, "the folder is another log's: {}", run.told);
}

#[tokio::test]
async fn what_is_kept_and_cannot_be_read_is_not_begun_again() {
    let journal = journal();
    let server = Anyone::new(honest(&journal)).await;
    let desk = Desk::new(journal.tenant(), TOKEN);
    assert_eq!(desk.follow(server.address, &[]).await.code, 0);
    fs::write(desk.state().join("state.json"), "{").unwrap();
    let run = desk.follow(server.address, &[]).await;
    assert_eq!((run.code, run.lines.len()), (69, 0), "{}", run.told);
}

#[tokio::test]
async fn a_token_does_not_cross_the_network_in_the_clear() {
    let desk = Desk::new(journal().tenant(), TOKEN);
    let run = Command::new(env!("CARGO_BIN_EXE_countersign-follow"))
        .args([
            "--server",
            "http://198.51.100.7",
            "--tenant",
            &desk.tenant.to_string(),
            "--once",
        ])
        .arg("--token-file")
        .arg(desk.folder.path().join("token"))
        .arg("--state")
        .arg(desk.state())
        .output()
        .unwrap();
    let run = Run::of(run);
    assert_eq!(run.code, 69);
    assert!(run.told.contains("https://"), "{}", run.told);
    assert!(!run.told.contains(TOKEN));
}

#[tokio::test]
async fn a_real_server_is_followed_by_an_auditor_and_by_no_agent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::open(Config::new(folder.path().join("data")))
        .await
        .unwrap();
    let new = NewTenant {
        name: "Acme".to_owned(),
        mode: Mode::Company,
        email: "ada@acme.example".to_owned(),
        owner: "Ada".to_owned(),
        password: zeroize::Zeroizing::new("correct horse battery".to_owned()),
    };
    let (tenant, owner) = server.found_tenant(new).await.unwrap();
    let (_, agent) = server.add_agent(tenant, "Bookkeeper").await.unwrap();
    let token = server.open_session(owner).await.unwrap();
    let listening = server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listening.address();
    let story = async {
        let desk = Desk::new(tenant, token.reveal());
        let run = desk.follow(address, &[]).await;
        assert_eq!(run.code, 0, "{}", run.told);
        assert_eq!(run.lines[0]["kind"], "genesis");
        assert!(run.entries().len() > 2);
        let software = Desk::new(tenant, agent.reveal());
        let run = software.follow(address, &[]).await;
        assert_eq!((run.code, run.lines.len()), (69, 0), "{}", run.told);
    };
    tokio::select! {
        () = server.serve(listening, std::future::pending()) => unreachable!("nothing stops it"),
        () = story => (),
    }
}
