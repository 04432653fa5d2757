//! Content of the sample portal: four tenants and their APIs.

use serde::Serialize;
use serde_json::{Value, json};

/// The password of every demo user.
pub const PASSWORD: &str = "letmein";

/// The demo users; each exists in every tenant that the portal signs in by itself.
pub const USERS: [&str; 2] = ["alice", "bob"];

/// The tenant whose users the portal takes from identity headers.
pub const MEMBERS: &str = "members.example";

pub const TENANTS: [&str; 4] = ["carbon.super", "closed.example", "inherits.example", MEMBERS];

/// Whether the portal's own sign-in is for this tenant.
pub fn has_own_sign_in(tenant: &str) -> bool {
    TENANTS.contains(&tenant) && tenant != MEMBERS
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleApi {
    pub tenant: &'static str,
    pub id: &'static str,
    pub name: &'static str,
    pub version: &'static str,
    pub context: &'static str,
    pub description: &'static str,
    pub tags: &'static [&'static str],
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SampleApplication {
    #[serde(rename = "applicationId")]
    pub id: String,
    pub name: String,
    pub description: String,
    pub throttling_policy: String,
    pub owner: String,
    #[serde(skip)]
    pub tenant: String,
    pub status: &'static str,
}

pub const APIS: [SampleApi; 12] = [
    SampleApi {
        tenant: "carbon.super",
        id: "01e1f3a0-0001-4000-8000-000000000001",
        name: "Tides",
        version: "2.1.0",
        context: "/tides",
        description: "High and low water for four hundred harbours, a year ahead.",
        tags: &["sea", "weather"],
    },
    SampleApi {
        tenant: "carbon.super",
        id: "01e1f3a0-0002-4000-8000-000000000002",
        name: "Transit",
        version: "1.4.0",
        context: "/transit",
        description: "Departures, delays and stops of buses, trams and ferries.",
        tags: &["travel"],
    },
    SampleApi {
        tenant: "carbon.super",
        id: "01e1f3a0-0003-4000-8000-000000000003",
        name: "Air quality",
        version: "1.0.2",
        context: "/air",
        description: "Hourly readings of fine dust, ozone and nitrogen dioxide.",
        tags: &["weather", "health"],
    },
    SampleApi {
        tenant: "carbon.super",
        id: "01e1f3a0-0004-4000-8000-000000000004",
        name: "Postal addresses",
        version: "3.0.0",
        context: "/addresses",
        description: "Checks and completes addresses, with their coordinates.",
        tags: &["places"],
    },
    SampleApi {
        tenant: "carbon.super",
        id: "01e1f3a0-0005-4000-8000-000000000005",
        name: "Exchange rates",
        version: "1.2.0",
        context: "/rates",
        description: "Daily reference rates of thirty currencies since 1999.",
        tags: &["money"],
    },
    SampleApi {
        tenant: "closed.example",
        id: "0c105ed0-0001-4000-8000-000000000001",
        name: "Payroll",
        version: "5.0.0",
        context: "/payroll",
        description: "Salaries, allowances and payslips. For partners under contract.",
        tags: &["money", "people"],
    },
    SampleApi {
        tenant: "closed.example",
        id: "0c105ed0-0002-4000-8000-000000000002",
        name: "Suppliers",
        version: "2.3.0",
        context: "/suppliers",
        description: "Orders, deliveries and invoices of our suppliers.",
        tags: &["trade"],
    },
    SampleApi {
        tenant: "closed.example",
        id: "0c105ed0-0003-4000-8000-000000000003",
        name: "Plant sensors",
        version: "0.9.0",
        context: "/sensors",
        description: "Live readings from the production line.",
        tags: &["machines"],
    },
    SampleApi {
        tenant: "inherits.example",
        id: "01be1175-0001-4000-8000-000000000001",
        name: "Library catalogue",
        version: "1.1.0",
        context: "/catalogue",
        description: "Titles, copies and where they stand.",
        tags: &["books"],
    },
    SampleApi {
        tenant: "inherits.example",
        id: "01be1175-0002-4000-8000-000000000002",
        name: "Opening hours",
        version: "1.0.0",
        context: "/hours",
        description: "When each branch opens, with holidays.",
        tags: &["places"],
    },
    SampleApi {
        tenant: MEMBERS,
        id: "3e3be125-0001-4000-8000-000000000001",
        name: "Moorings",
        version: "1.3.0",
        context: "/moorings",
        description: "Berths of the harbour, who lies where, and what is free tonight.",
        tags: &["sea"],
    },
    SampleApi {
        tenant: MEMBERS,
        id: "3e3be125-0002-4000-8000-000000000002",
        name: "Boat club",
        version: "2.0.0",
        context: "/club",
        description: "Members, keys and the rota of the workshop.",
        tags: &["people"],
    },
];

pub fn apis_of(tenant: &str) -> impl Iterator<Item = &'static SampleApi> {
    APIS.iter().filter(move |api| api.tenant == tenant)
}

pub fn tags_of(tenant: &str) -> Vec<(&'static str, usize)> {
    let mut tags: Vec<&str> = apis_of(tenant).flat_map(|api| api.tags.iter().copied()).collect();
    tags.sort_unstable();
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for tag in tags {
        match counted.last_mut() {
            Some((last, count)) if *last == tag => *count += 1,
            _ => counted.push((tag, 1)),
        }
    }
    counted
}

impl SampleApi {
    /// WSO2's short form, as lists have it.
    pub fn summary(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "context": self.context,
            "version": self.version,
            "type": "HTTP",
            "provider": format!("publisher@{}", self.tenant),
            "lifeCycleStatus": "PUBLISHED",
            "thumbnailUri": null,
            "avgRating": "0.0",
            "throttlingPolicies": ["Unlimited"],
            "advertiseInfo": { "advertised": false },
            "isSubscriptionAvailable": true,
            "tags": self.tags,
        })
    }

    pub fn definition(&self) -> Value {
        json!({
            "openapi": "3.0.3",
            "info": { "title": self.name, "version": self.version, "description": self.description },
            "servers": [{ "url": format!("https://gateway.example{}/{}", self.context, self.version) }],
            "paths": {
                "/": { "get": { "summary": "List", "responses": { "200": { "description": "OK" } } } },
                "/{id}": { "get": {
                    "summary": "Read one",
                    "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
                    "responses": { "200": { "description": "OK" }, "404": { "description": "Not found" } },
                } },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_has_apis_of_its_own() {
        for tenant in TENANTS {
            assert!(apis_of(tenant).count() >= 2, "{tenant}");
        }
        assert_eq!(TENANTS.iter().map(|tenant| apis_of(tenant).count()).sum::<usize>(), APIS.len());
    }

    #[test]
    fn tags_are_counted() {
        assert!(tags_of("carbon.super").contains(&("weather", 2)));
    }
}
