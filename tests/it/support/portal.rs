//! The portal behind the proxy: a test double with routes.

use super::{
    double::{Double, Received},
    reply::Reply,
};

pub struct Portal {
    double: Double,
}

#[derive(Default)]
pub struct PortalBuilder {
    routes: Vec<(String, RouteHandler)>,
}

type RouteHandler = Box<dyn Fn(&Received) -> Reply + Send + Sync>;

impl Portal {
    /// Answers everything with this text.
    pub fn answering(body: &str) -> PortalBuilder {
        Self::replying(Reply::text(body))
    }

    /// Answers everything with the head of the request.
    pub fn echoing() -> PortalBuilder {
        Self::replying(Reply::echo_head())
    }

    pub fn replying(reply: Reply) -> PortalBuilder {
        PortalBuilder::default().route("", reply)
    }

    /// `127.0.0.1:port`
    pub fn authority(&self) -> String {
        self.double.addr.to_string()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.double.addr)
    }

    pub fn received(&self) -> Vec<Received> {
        self.double.received()
    }

    /// The one request that came through.
    #[track_caller]
    pub fn only_request(&self) -> Received {
        let mut all = self.received();
        assert_eq!(all.len(), 1, "one request was expected, these came: {:#?}", targets(&all));
        all.remove(0)
    }

    #[track_caller]
    pub fn last_request(&self) -> Received {
        self.received().pop().expect("a request came through")
    }

    pub fn received_nothing(&self) -> bool {
        self.received().is_empty()
    }

    pub fn connections(&self) -> usize {
        self.double.connections()
    }

    pub fn clear_received(&self) {
        self.double.clear_received();
    }

    pub fn stop(&self) {
        self.double.stop();
    }
}

fn targets(received: &[Received]) -> Vec<&str> {
    received.iter().map(|r| r.target.as_str()).collect()
}

impl PortalBuilder {
    /// Paths that start so are answered so; the longest start wins.
    pub fn route(self, path: &str, reply: Reply) -> Self {
        self.route_with(path, move |_| reply.clone())
    }

    /// The answer depends on the request.
    pub fn route_with(
        mut self,
        path: &str,
        answering: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.routes.push((path.to_owned(), Box::new(answering)));
        self
    }

    pub fn start(mut self) -> Portal {
        self.routes.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        let routes = self.routes;
        Portal {
            double: Double::start(move |request| {
                let found = routes.iter().find(|(path, _)| request.target.starts_with(path));
                found.map_or_else(
                    || Reply::text("nothing here").status(404),
                    |(_, answering)| answering(request),
                )
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::wire::Wire, *};

    fn wire(portal: &Portal, request: &str) -> Wire {
        let mut wire = Wire::connect(portal.authority().parse().unwrap());
        wire.write(request);
        wire
    }

    #[test]
    fn a_portal_records_what_it_received() {
        let portal = Portal::answering("hello").route("/echo", Reply::echo_body()).start();
        let mut wire = wire(&portal, "POST /echo?x HTTP/1.1\r\nA_b: 1\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(wire.answer("POST").unwrap().text(), "hi");
        wire.write("GET /other HTTP/1.1\r\n\r\n");
        assert_eq!(wire.answer("GET").unwrap().text(), "hello");
        let first = &portal.received()[0];
        assert_eq!((first.path(), first.body.as_slice(), first.complete), ("/echo", &b"hi"[..], true));
        assert_eq!((first.folded("a-B"), first.all("a-b").len()), (vec!["1"], 0));
        assert_eq!((portal.connections(), portal.last_request().connection), (1, 0));
    }

    #[test]
    fn portal_streams_upgrades_and_aborts_as_configured() {
        let (stream, sender) = Reply::stream();
        let portal = Portal::answering("")
            .route("/events", stream)
            .route("/ws", Reply::upgrade_echo())
            .route("/broken", Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"))
            .route("/sums", Reply::trailers("abc", &[("sum", "3")]))
            .start();
        let mut events = wire(&portal, "GET /events HTTP/1.1\r\n\r\n");
        events.head();
        sender.send("data: 1\n\n");
        assert_eq!(events.chunk(), "data: 1\n\n");
        let mut socket = wire(&portal, "GET /ws HTTP/1.1\r\nupgrade: x\r\n\r\n");
        assert_eq!(socket.head().header("upgrade"), Some("x"));
        assert_eq!(socket.write("ping").bytes(4), b"ping");
        let broken = wire(&portal, "GET /broken HTTP/1.1\r\n\r\n").answer("GET").unwrap();
        assert_eq!((broken.text().as_str(), broken.complete), ("abc", false));
        let sums = wire(&portal, "GET /sums HTTP/1.1\r\n\r\n").answer("GET").unwrap();
        assert_eq!(sums.trailers, [("sum".to_owned(), "3".to_owned())]);
    }

    #[test]
    fn stopped_portal_closes_connections_and_port() {
        let portal = Portal::answering("").route("/hang", Reply::raw_then_silence("")).start();
        let mut hanging = wire(&portal, "GET /hang HTTP/1.1\r\n\r\n");
        super::super::eventually(|| !portal.received_nothing());
        portal.stop();
        assert!(hanging.rest().is_empty());
        super::super::eventually(|| std::net::TcpStream::connect(portal.authority()).is_err());
    }
}
