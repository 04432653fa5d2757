//! The list on which a visitor chooses a tenant: search, pages, and the link that leads on. Pure.

use minijinja::{Value, context};
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use crate::domain::{return_address::ReturnAddress, tenant::TenantId};

/// Where the list is.
pub const PATH: &str = "/.doorward/tenants";

pub const PAGE_SIZE: usize = 50;

/// A domain has at most 253 characters; a longer search cannot match.
const LONGEST_QUERY: usize = 253;

/// What the visitor asked for: `?to=…&q=…&page=…`. Whatever is missing or odd has a meaning; nothing is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Where to go once a tenant is chosen, if that address is one of ours.
    pub to: Option<ReturnAddress>,
    pub query: String,
    /// From 1.
    pub page: usize,
}

impl Wish {
    pub fn parse(query: &str) -> Self {
        let mut wish = Self { to: None, query: String::new(), page: 1 };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "to" => wish.to = ReturnAddress::parse(&value),
                "q" => wish.query = value.trim().chars().take(LONGEST_QUERY).collect(),
                "page" => wish.page = value.parse().unwrap_or(1),
                _ => {}
            }
        }
        wish
    }

    /// Whether each name has to be looked at.
    pub fn searches(&self) -> bool {
        !self.query.is_empty()
    }
}

/// One page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    wish: Wish,
    /// Matches on all pages.
    pub count: usize,
    pub page: usize,
    pub last: usize,
    /// Domain and where it leads.
    pub tenants: Vec<(TenantId, String)>,
}

impl Listing {
    /// `names` are sorted; `start` is the portal's page a tenant leads to when the visitor came from nowhere.
    pub fn new(names: &[TenantId], wish: Wish, start: &str) -> Self {
        let needle = wish.query.to_lowercase();
        // one look at each name, and none where nothing is searched or no name can have it
        let found: Option<Vec<&TenantId>> = (!needle.is_empty()).then(|| {
            let can_match =
                needle.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            let searched = if can_match { names } else { &[] };
            searched.iter().filter(|name| name.as_str().contains(&needle)).collect()
        });
        let count = found.as_ref().map_or(names.len(), Vec::len);
        let last = count.div_ceil(PAGE_SIZE).max(1);
        let page = wish.page.clamp(1, last);
        let target = wish.to.as_ref().map_or(start, ReturnAddress::as_str);
        let first = (page - 1) * PAGE_SIZE;
        let link = |tenant: &TenantId| (tenant.clone(), deep_link(target, tenant));
        let tenants = match &found {
            Some(found) => found.iter().skip(first).take(PAGE_SIZE).map(|tenant| link(tenant)).collect(),
            None => names.iter().skip(first).take(PAGE_SIZE).map(link).collect(),
        };
        Self { wish, count, page, last, tenants }
    }

    /// For the template.
    pub(super) fn values(&self) -> Value {
        let tenants =
            self.tenants.iter().map(|(tenant, href)| context! { domain => tenant.as_str(), href => href });
        context! {
            action => PATH,
            to => self.wish.to.as_ref().map(ReturnAddress::as_str),
            query => &self.wish.query,
            count => self.count,
            shown => grouped(self.count),
            tenants => tenants.collect::<Value>(),
            all_href => self.href("", 1),
            page_shown => grouped(self.page),
            last_shown => grouped(self.last),
            previous_href => (self.page > 1).then(|| self.href(&self.wish.query, self.page - 1)),
            next_href => (self.page < self.last).then(|| self.href(&self.wish.query, self.page + 1)),
            pages => self.pages(),
        }
    }

    /// The first, the last and the neighbours; nothing where one page holds everything.
    fn pages(&self) -> Value {
        if self.last == 1 {
            return Value::from(());
        }
        let numbers: Vec<usize> = [1, self.page - 1, self.page, self.page + 1, self.last]
            .into_iter()
            .filter(|number| (1..=self.last).contains(number))
            .collect();
        let mut links = Vec::new();
        let mut before = 0;
        for number in numbers {
            if number <= before {
                continue;
            }
            if number > before + 1 {
                links.push(context! { gap => true });
            }
            links.push(context! {
                href => self.href(&self.wish.query, number),
                number => grouped(number),
                current => number == self.page,
            });
            before = number;
        }
        links.into_iter().collect()
    }

    fn href(&self, query: &str, page: usize) -> String {
        let mut written = form_urlencoded::Serializer::new(String::new());
        if let Some(to) = &self.wish.to {
            written.append_pair("to", to.as_str());
        }
        if !query.is_empty() {
            written.append_pair("q", query);
        }
        if page > 1 {
            written.append_pair("page", &page.to_string());
        }
        let written = written.finish();
        if written.is_empty() { PATH.to_owned() } else { format!("{PATH}?{written}") }
    }
}

/// `to` with `tenant=…` in its query in place of any tenant it named before; all else stays as it was written.
pub fn deep_link(to: &str, tenant: &TenantId) -> String {
    let address = to.split('#').next().unwrap_or(to);
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let names_a_tenant = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or(pair);
        percent_decode_str(name).decode_utf8_lossy().eq_ignore_ascii_case("tenant")
    };
    let mut link = format!("{path}?");
    for pair in query.split('&').filter(|pair| !pair.is_empty() && !names_a_tenant(pair)) {
        link.push_str(pair);
        link.push('&');
    }
    link.push_str("tenant=");
    link.push_str(tenant.as_str());
    link
}

/// `100,000`: long numbers are read in groups.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut written = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<TenantId> {
        (0..count).map(|n| TenantId::parse(&format!("tenant-{n:06}.example")).unwrap()).collect()
    }

    #[test]
    fn a_link_keeps_the_deep_address_and_sets_the_tenant() {
        let tenant = TenantId::parse("acme.com").unwrap();
        for (to, link) in [
            ("/devportal/apis", "/devportal/apis?tenant=acme.com"),
            ("/devportal/apis?", "/devportal/apis?tenant=acme.com"),
            ("/p?tenant=other", "/p?tenant=acme.com"),
            ("/p?a=1&tenant=other&b=%2F+x", "/p?a=1&b=%2F+x&tenant=acme.com"),
            ("/p?Tenant=x&TENANT=y&tenant", "/p?tenant=acme.com"),
            ("/p?%74enant=x", "/p?tenant=acme.com"),
            ("/p?tenants=2&x=tenant", "/p?tenants=2&x=tenant&tenant=acme.com"),
            ("/p?a=1#part", "/p?a=1&tenant=acme.com"),
        ] {
            assert_eq!(deep_link(to, &tenant), link, "{to}");
        }
    }

    #[test]
    fn the_list_is_cut_into_pages() {
        let all = names(123);
        for (page, shown, first) in [
            (1, 50, "tenant-000000.example"),
            (3, 23, "tenant-000100.example"),
            (99, 23, "tenant-000100.example"),
        ] {
            let listing = Listing::new(&all, Wish::parse(&format!("page={page}")), "/");
            assert_eq!((listing.count, listing.last, listing.tenants.len()), (123, 3, shown), "page {page}");
            assert_eq!(listing.tenants[0].0.as_str(), first);
        }
    }

    #[test]
    fn searching_finds_parts_of_names_in_any_case() {
        let all = names(100_000);
        for (query, count) in [
            ("", 100_000),
            ("T-00001", 10),
            (" tenant-099999.EXAMPLE ", 1),
            ("nobody", 0),
            ("a b", 0),
            ("é", 0),
        ] {
            let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
            let listing = Listing::new(&all, Wish::parse(&format!("q={encoded}")), "/");
            assert_eq!(listing.count, count, "{query:?}");
            assert!(listing.tenants.len() <= PAGE_SIZE);
        }
    }

    #[test]
    fn odd_wishes_have_a_meaning() {
        for query in
            ["", "page=0", "page=-1", "page=x", "page=99999999999999999999999", "q=%ff", "&&==", "to="]
        {
            let listing = Listing::new(&names(3), Wish { query: String::new(), ..Wish::parse(query) }, "/");
            assert_eq!((listing.page, listing.tenants.len()), (1, 3), "{query}");
        }
        assert_eq!(Wish::parse(&format!("q={}", "é".repeat(9999))).query.chars().count(), LONGEST_QUERY);
    }

    #[test]
    fn without_an_address_a_tenant_leads_to_the_start_page() {
        let listing = Listing::new(&names(1), Wish::parse(""), "/devportal/apis");
        assert_eq!(listing.tenants[0].1, "/devportal/apis?tenant=tenant-000000.example");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, written) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (100_000, "100,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), written);
        }
    }
}
