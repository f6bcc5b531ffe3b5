use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use countersign_e2e::smtp::{MailServer, Mode, Tls};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_accepted_mail_is_there_with_its_exact_bytes() -> Result<()> {
    let server = MailServer::start()?;
    let mut client = Client::connect(&server)?;
    client.reach_data()?;
    // A line that begins with a dot travels with two.
    assert!(
        client
            .ask("Subject: One\r\n\r\n..dotted\r\n\u{e4}\r\n.")?
            .starts_with("250")
    );

    let mails = server.await_mails(1, SOON).await?;
    assert_eq!(mails[0].from, "ada@example.com");
    assert_eq!(mails[0].to, ["bob@example.com"]);
    assert_eq!(
        mails[0].bytes,
        "Subject: One\r\n\r\n.dotted\r\n\u{e4}\r\n".as_bytes()
    );
    assert_eq!(mails[0].user, None, "nobody signed in");
    Ok(())
}

#[test]
fn it_refuses_at_each_step_that_it_is_told_to() -> Result<()> {
    let mut server = MailServer::start()?;

    server.set(Mode::RefuseConnection)?;
    let refused = Client::connect(&server)
        .map(drop)
        .expect_err("the greeting is a refusal");
    assert!(refused.to_string().contains("554"), "{refused}");

    server.set(Mode::RefuseSender)?;
    let mut client = Client::connect(&server)?;
    assert!(client.ask("MAIL FROM:<ada@example.com>")?.starts_with("550"));

    server.set(Mode::RefuseRecipient)?;
    assert!(
        client.ask("MAIL FROM:<ada@example.com>")?.starts_with("250"),
        "a mode holds from the next step on"
    );
    assert!(client.ask("RCPT TO:<bob@example.com>")?.starts_with("550"));

    server.set(Mode::RefuseData)?;
    let mut client = Client::connect(&server)?;
    client.reach_data()?;
    assert!(client.ask("Subject: One\r\n\r\nText\r\n.")?.starts_with("554"));

    assert_eq!(server.mails()?, [], "a refused mail has not arrived");
    Ok(())
}

#[tokio::test]
async fn it_breaks_off_before_and_after_the_mail_has_arrived() -> Result<()> {
    let mut server = MailServer::start()?;
    server.set(Mode::DropMidData)?;
    let mut client = Client::connect(&server)?;
    client.reach_data()?;
    assert_eq!(
        client.ask("Subject: Half\r\n\r\nText\r\n.")?,
        "",
        "the connection ends without a reply"
    );
    assert_eq!(server.mails()?, [], "half a mail has not arrived");

    server.set(Mode::DropAfterData)?;
    let mut client = Client::connect(&server)?;
    client.reach_data()?;
    assert_eq!(
        client.ask("Subject: Whole\r\n\r\nText\r\n.")?,
        "",
        "the connection ends without a reply"
    );
    assert_eq!(
        server.await_mails(1, SOON).await?.len(),
        1,
        "the mail has arrived all the same"
    );
    Ok(())
}

#[tokio::test]
async fn it_hangs_before_and_after_the_mail_has_arrived() -> Result<()> {
    let mut server = MailServer::start()?;
    server.set(Mode::HangGreeting)?;
    let mut silent = BufReader::new(TcpStream::connect(("127.0.0.1", server.port()))?);
    silent
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(300)))?;
    let nothing = silent
        .read_line(&mut String::new())
        .expect_err("no greeting comes");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);

    server.set(Mode::HangMidData)?;
    let mut client = Client::connect(&server)?;
    client.impatient()?;
    client.ask("MAIL FROM:<ada@example.com>")?;
    client.ask("RCPT TO:<bob@example.com>")?;
    client.ask("DATA").expect_err("DATA has no answer");
    assert_eq!(server.mails()?, [], "nothing was sent");

    server.set(Mode::HangAfterData)?;
    let mut client = Client::connect(&server)?;
    client.reach_data()?;
    client.impatient()?;
    client
        .ask("Subject: Whole\r\n\r\nText\r\n.")
        .expect_err("the final dot has no answer");
    assert_eq!(
        server.await_mails(1, SOON).await?.len(),
        1,
        "the mail has arrived all the same"
    );
    Ok(())
}

#[test]
fn with_starttls_it_takes_no_mail_in_the_clear_and_shows_the_certificate_to_trust() -> Result<()> {
    let server = MailServer::start_with(Tls::Starttls, Some(("ada", "secret")))?;
    let mut client = Client::connect(&server)?;
    assert!(
        client.ask("MAIL FROM:<ada@example.com>")?.starts_with("530"),
        "STARTTLS comes first"
    );

    let certificate = server.certificate().expect("a TLS server has a certificate");
    assert!(std::fs::read_to_string(certificate)?.contains("BEGIN CERTIFICATE"));
    let handshake = std::process::Command::new("openssl")
        .args([
            "s_client",
            "-starttls",
            "smtp",
            "-verify_return_error",
            "-brief",
            "-CAfile",
        ])
        .arg(certificate)
        .args(["-connect", &format!("127.0.0.1:{}", server.port())])
        .stdin(std::process::Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&handshake.stderr).into_owned();
    assert!(
        said.contains("Verification: OK"),
        "whoever trusts that certificate trusts the server: {said}"
    );
    Ok(())
}

/// A client that says one line at a time, so that a test stands at a known step.
struct Client {
    connection: BufReader<TcpStream>,
}

impl Client {
    fn connect(server: &MailServer) -> Result<Self> {
        let connection = TcpStream::connect(("127.0.0.1", server.port()))?;
        connection.set_read_timeout(Some(SOON))?;
        let mut client = Self {
            connection: BufReader::new(connection),
        };
        let greeting = client.reply()?;
        ensure!(greeting.starts_with("220"), "greeted with {greeting}");
        client.ask("EHLO client.test")?;
        Ok(client)
    }

    fn reach_data(&mut self) -> Result<()> {
        for line in ["MAIL FROM:<ada@example.com>", "RCPT TO:<bob@example.com>"] {
            let reply = self.ask(line)?;
            ensure!(reply.starts_with("250"), "{line}: {reply}");
        }
        let reply = self.ask("DATA")?;
        ensure!(reply.starts_with("354"), "DATA: {reply}");
        Ok(())
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        self.connection
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    fn impatient(&self) -> Result<()> {
        Ok(self
            .connection
            .get_ref()
            .set_read_timeout(Some(Duration::from_millis(500)))?)
    }

    /// The last line of a reply, or nothing if the server broke off.
    fn reply(&mut self) -> Result<String> {
        loop {
            let mut line = String::new();
            match self.connection.read_line(&mut line) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => line.clear(),
                Err(error) => return Err(error.into()),
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }
}
