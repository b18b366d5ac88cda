with

logged as (
    select
        days.as_of_date,
        contacts.customer_id,
        contacts.contacted_at_utc,
        contacts.outcome,
        {{ days_between('contacts.contact_date', 'days.as_of_date') }} as age_days
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_contacts') }} as contacts
        on {{ in_window('contacts.contact_date', 'days.as_of_date', 180) }}
        and {{ known_at('contacts', 'days.cutoff_utc') }}
    where {{ is_engaged('contacts.outcome') }}
),

reactions as (
    select
        as_of_date,
        customer_id,
        case when age_days < 30 and outcome = 'opened' then 1 else 0 end as opens,
        case when age_days < 30 and outcome = 'clicked' then 1 else 0 end as clicks,
        case when age_days < 30 and outcome = 'replied' then 1 else 0 end as replies,
        contacted_at_utc as engaged_at_utc
    from logged

    union all

    select
        as_of_date,
        customer_id,
        {%- for event_type in ['opened', 'clicked', 'replied'] %}
        case when {{ in_window(event_type ~ '_date', 'as_of_date', 30) }} then 1 else 0 end,
        {%- endfor %}
        last_engaged_at_utc
    from {{ ref('int_platform_contacts') }}
    where last_engaged_at_utc is not null
        and {{ in_window('contact_date', 'as_of_date', 180) }}
)

select
    as_of_date,
    customer_id,
    cast(sum(opens) as int) as engagement_opens_30d,
    cast(sum(clicks) as int) as engagement_clicks_30d,
    cast(sum(replies) as int) as engagement_replies_30d,
    cast(max(engaged_at_utc) as timestamp) as last_engaged_at_utc
from reactions
group by as_of_date, customer_id
