with

blacklisted as (
    select distinct as_of_date, customer_id from {{ ref('int_blacklist_as_of') }}
),

reported as (
    select distinct as_of_date, customer_id from {{ ref('int_fraud_reports_as_of') }}
),

listed as (
    select distinct as_of_date, phone_token from {{ ref('int_dnd_registry_as_of') }}
)

select
    customers.as_of_date,
    customers.customer_id,
    cast(blacklisted.customer_id is not null as boolean) as is_blacklisted,
    cast(reported.customer_id is not null as boolean) as has_open_fraud_report,
    cast(listed.phone_token is not null as boolean) as is_dnd_listed
from {{ ref('int_customer_standing') }} as customers
left join blacklisted
    on customers.as_of_date = blacklisted.as_of_date
    and customers.customer_id = blacklisted.customer_id
left join reported
    on customers.as_of_date = reported.as_of_date
    and customers.customer_id = reported.customer_id
left join listed
    on customers.as_of_date = listed.as_of_date
    and customers.phone_token = listed.phone_token
