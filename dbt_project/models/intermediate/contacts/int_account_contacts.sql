with

contacts as (
    select
        days.as_of_date,
        logged.account_id,
        logged.channel,
        logged.direction,
        logged.contact_date,
        {{ is_engaged('logged.outcome') }} as is_engaged,
        {{ is_unreached('logged.outcome') }} as is_unreached,
        {{ is_right_party('logged.outcome') }} as is_right_party
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_contacts') }} as logged
        on logged.contact_date <= days.as_of_date
        and {{ known_at('logged', 'days.cutoff_utc') }}

    union all

    select
        as_of_date,
        account_id,
        channel,
        'outbound' as direction,
        contact_date,
        last_engaged_at_utc is not null as is_engaged,
        is_unreached,
        false as is_right_party
    from {{ ref('int_platform_contacts') }}
    where account_id is not null
),

spans as (
    select
        as_of_date,
        account_id,
        channel,
        {{ span_days(days_between('contact_date', 'as_of_date')) }} as span_days,
        sum(case when direction = 'outbound' then 1 else 0 end) as contacts,
        sum(case when direction = 'outbound' and is_engaged then 1 else 0 end) as reacted,
        sum(case when direction = 'outbound' and is_unreached then 1 else 0 end) as unreached,
        sum(case when direction = 'inbound' then 1 else 0 end) as inbound,
        sum(case when is_right_party then 1 else 0 end) as right_party,
        max(case when is_right_party then contact_date end) as last_right_party_date
    from contacts
    group by 1, 2, 3, 4
)

select
    as_of_date,
    account_id,
    {%- for length in windows() %}
    {%- for channel in channels() %}
    {%- for outcome in ['contacts', 'reacted', 'unreached'] %}
    cast(
        {{ sum_in_window("case when channel = '" ~ channel ~ "' then " ~ outcome ~ " else 0 end", length) }}
        as int
    ) as {{ contact_column(channel, outcome, length) }},
    {%- endfor %}
    {%- endfor %}
    cast({{ sum_in_window('inbound', length) }} as int) as inbound_contacts_{{ length }}d,
    cast({{ sum_in_window('right_party', length) }} as int) as right_party_contacts_{{ length }}d,
    {%- endfor %}
    cast(max(last_right_party_date) as date) as last_right_party_date
from spans
group by as_of_date, account_id
