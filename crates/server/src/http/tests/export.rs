//! The journal as a file: who gets it, that it proves itself, that it goes on where it broke off.

use axum::http::{Response, header};
use countersign_domain::{dsse::PublicKey, wire::SNAPSHOT_SIZE};
use countersign_verify::{Options, Report, Verdict, verify};

use super::*;

const PATH: &str = "/api/journal/export";

impl World {
    async fn exported(&self, who: &Person, query: &str) -> Response<Vec<u8>> {
        self.sent(self.get(who, &format!("{PATH}{query}"))).await
    }

    /// The answer with its bytes, which are no JSON.
    pub(super) async fn sent(&self, call: Call) -> Response<Vec<u8>> {
        let request = call.request.body(call.body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, 64 * 1024 * 1024).await.unwrap();
        Response::from_parts(head, bytes.to_vec())
    }

    fn log_key(&self) -> PublicKey {
        self.store().people().tenant.as_ref().unwrap().log_key
    }

    fn examined(&self, bundle: &[u8]) -> Report {
        let options = Options {
            trust: Some(self.log_key()),
            proposal: None,
        };
        verify(bundle, &options).unwrap()
    }

    /// Ada proposes a task.
    async fn task(&self, title: &str) {
        let text = json!({"text": format!("create task: {title}")});
        let proposed = self.post(&self.ada, "/api/assistant/propose", text).await;
        assert_eq!(proposed.status, 200, "{proposed:?}");
    }
}

#[tokio::test]
async fn the_export_is_whole_for_whoever_knows_the_log_key() {
    let world = World::new().await;
    world.task("call Bob").await;
    let export = world.exported(&world.ada, "").await;
    assert_eq!(export.status(), 200);
    let headers = export.headers();
    assert_eq!(
        headers[header::CONTENT_TYPE],
        "application/vnd.countersign.bundle"
    );
    assert_eq!(headers[SNAPSHOT_SIZE], world.store().head_size().to_string());
    let report = world.examined(export.body());
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    assert_eq!(report.counts.entries, world.store().head_size());
    assert!(report.about.unwrap().key_checked);
}

#[tokio::test]
async fn an_owner_an_admin_and_an_auditor_export_and_nobody_else() {
    let world = World::new().await;
    for (role, status) in [
        ("admin", 200),
        ("auditor", 200),
        ("approver", 403),
        ("member", 403),
    ] {
        let who = world.join(&format!("{role}1"), role).await;
        for query in ["", "?format=csv", "?profile=redacted"] {
            assert_eq!(
                world.exported(&who, query).await.status(),
                status,
                "{role} {query}"
            );
        }
    }
    let (_, key) = world.agent("bot").await;
    let call = world.bare(Method::GET, PATH).token(&key).tenant(world.acme);
    assert_eq!(
        world.sent(call).await.status(),
        403,
        "an agent's key gets no journal"
    );
}

#[tokio::test]
async fn a_redacted_export_keeps_what_was_asked_for_to_itself() {
    let world = World::new().await;
    world.task("a secret errand").await;
    let full = world.exported(&world.ada, "").await.into_body();
    assert!(String::from_utf8(full).unwrap().contains("a secret errand"));
    for format in ["bundle", "csv"] {
        let query = format!("?profile=redacted&format={format}");
        let redacted = world.exported(&world.ada, &query).await.into_body();
        let text = String::from_utf8(redacted.clone()).unwrap();
        assert!(!text.contains("a secret errand"), "{format}");
        if format == "bundle" {
            let report = world.examined(&redacted);
            assert_eq!(report.verdict, Verdict::Whole, "{report}");
            assert!(report.counts.withheld > 0, "and says what is withheld");
        }
    }
}

#[tokio::test]
async fn an_export_goes_on_where_it_broke_off_whatever_has_happened_since() {
    let world = World::new().await;
    for number in 0..70 {
        world.task(&format!("errand {number}")).await;
    }
    let size = world.store().head_size();
    let query = format!("?size={size}");
    let whole = world.exported(&world.ada, &query).await;
    let tag = whole.headers()[header::ETAG].clone();
    let whole = whole.into_body();
    assert!(world.store().head_size() >= size);
    world.task("one more").await;
    for from in [0, 1, 500, whole.len() / 2, whole.len() - 1] {
        let call = world.get(&world.ada, &format!("{PATH}{query}"));
        let call = call
            .header("range", format!("bytes={from}-"))
            .header("if-range", tag.as_bytes());
        let rest = world.sent(call).await;
        assert_eq!(rest.status(), 206);
        let range = format!("bytes {from}-{}/{}", whole.len() - 1, whole.len());
        assert_eq!(rest.headers()[header::CONTENT_RANGE], range.as_str());
        assert_eq!(rest.body()[..], whole[from..], "from byte {from}");
    }
    assert_eq!(world.examined(&whole).verdict, Verdict::Whole);
    let past = world.get(&world.ada, &format!("{PATH}{query}"));
    let past = world
        .sent(past.header("range", format!("bytes={}-", whole.len())))
        .await;
    assert_eq!(past.status(), 416);
}

#[tokio::test]
async fn a_range_of_what_may_be_another_bundle_is_the_whole_one() {
    let world = World::new().await;
    world.task("an errand").await;
    let size = world.store().head_size();
    let begins = |response: &Response<Vec<u8>>| response.body().starts_with(b"countersign-bundle ");
    let unpinned = world.get(&world.ada, PATH).header("range", "bytes=10-");
    let unpinned = world.sent(unpinned).await;
    assert_eq!(
        (unpinned.status().as_u16(), begins(&unpinned)),
        (200, true),
        "no size"
    );
    for (range, tag) in [
        ("bytes=10-", "\"other\""),
        ("bytes=10-20", ""),
        ("bytes=-5", ""),
        ("lines=1-", ""),
    ] {
        let mut call = world
            .get(&world.ada, &format!("{PATH}?size={size}"))
            .header("range", range);
        if !tag.is_empty() {
            call = call.header("if-range", tag);
        }
        let answer = world.sent(call).await;
        assert_eq!(
            (answer.status().as_u16(), begins(&answer)),
            (200, true),
            "{range} {tag}"
        );
    }
}

#[tokio::test]
async fn an_earlier_size_is_a_bundle_of_its_own_and_a_later_one_is_none() {
    let world = World::new().await;
    let early = world.exported(&world.ada, "?size=3").await.into_body();
    for number in 0..70 {
        world.task(&format!("errand {number}")).await;
    }
    let again = world.exported(&world.ada, "?size=3").await.into_body();
    assert_eq!(early, again, "one journal and size, one sequence of bytes");
    for size in [1, 3, 17, 64, world.store().head_size()] {
        let bundle = world
            .exported(&world.ada, &format!("?size={size}"))
            .await
            .into_body();
        let report = world.examined(&bundle);
        assert_eq!(
            (&report.verdict, report.counts.entries),
            (&Verdict::Whole, size),
            "{report}"
        );
    }
    for query in [
        "?size=0",
        "?size=100000",
        "?size=x",
        "?profile=none",
        "?format=pdf",
        "?after=3",
    ] {
        let refused = world.get(&world.ada, &format!("{PATH}{query}")).await;
        assert_eq!(refused.refusal(), (400, "invalid_query"), "{query}");
    }
}

#[tokio::test]
async fn the_view_has_a_row_for_each_entry_and_says_that_it_is_no_evidence() {
    let world = World::new().await;
    world.task("=HYPERLINK(0)").await;
    let view = world.exported(&world.ada, "?format=csv").await;
    assert_eq!(
        view.headers()[header::CONTENT_TYPE],
        "text/csv; charset=utf-8; header=present"
    );
    let file = view.headers()[header::CONTENT_DISPOSITION]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(file.contains("view-not-evidence.csv"), "{file}");
    let text = String::from_utf8(view.into_body()).unwrap();
    assert_eq!(text.lines().count() as u64, world.store().head_size() + 1);
    assert!(
        text.lines()
            .next()
            .unwrap()
            .contains("this is a view, not evidence")
    );
    assert!(text.contains("assistant.create_task"), "{text}");
}

#[tokio::test]
async fn one_credential_makes_two_exports_at_once_and_no_third() {
    let world = World::new().await;
    let first = world.opened(&world.ada.token, PATH).await;
    let second = world.opened(&world.ada.token, PATH).await;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    let third = world.get(&world.ada, PATH).await;
    assert_eq!(third.refusal(), (429, "too_many_open_calls"));
    drop(first);
    assert_eq!(world.exported(&world.ada, "").await.status(), 200);
}

#[tokio::test]
async fn an_export_breaks_off_with_the_credential_that_asked_for_it() {
    let world = World::new().await;
    let auditor = world.join("eve", "auditor").await;
    let open = world.opened(&auditor.token, PATH).await;
    world
        .delete(&world.ada, &format!("/api/members/{}", auditor.id))
        .await;
    let cut = to_bytes(open.into_body(), 64 * 1024 * 1024).await;
    assert!(cut.is_err(), "nobody takes it for a whole one");
}
