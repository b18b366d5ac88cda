-- noqa: disable=LT02
-- Which customer a record of a source belongs to, and what says so. Tokens of one kind are made with
-- one key, so equal tokens mean equal values, whatever feed they came in.
--
-- A record that names the lender's customer belongs to that customer. Any other belongs to the one
-- customer with the strongest evidence: the national id outweighs phone and e-mail together, and who
-- has another national id is out. Of equals nobody gets it. Everything that does not fit is a
-- conflict, which is shown and never resolved here.
with

records as (
    -- Of reports, the person as last reported; of files of accounts, every account.
    select
        'bureau_report' as source,
        customer_id as record_id,
        customer_id as named_customer_id,
        national_id_token,
        cast(null as string) as phone_token,
        cast(null as string) as email_token,
        _known_at,
        _file_id,
        _row_number
    from {{ ref('stg_bureau_reports') }}
    union all
    select
        'aa_account',
        concat(consent_id, ':', link_ref_number),
        customer_id,
        pan_token,
        mobile_token,
        email_token,
        _known_at,
        _file_id,
        _row_number
    from {{ ref('stg_aa_accounts') }}
    union all
    select
        'metro2',
        {{ metro2_record_id() }},
        cast(null as string),
        ssn_token,
        phone_token,
        cast(null as string),
        _known_at,
        _file_id,
        _row_number
    from {{ ref('stg_metro2_accounts') }}
    union all
    -- Aadhaar numbers come masked: many persons share what is left.
    select
        'tudf',
        {{ tudf_record_id() }},
        cast(null as string),
        pan_token,
        phone_token,
        cast(null as string),
        _known_at,
        _file_id,
        _row_number
    from {{ ref('stg_tudf_accounts') }}
),

versions as (
    select records.*, {{ known_interval(['source', 'record_id']) }} from records
),

known as (
    select days.as_of_date, versions.*
    from {{ ref('int_as_of_dates') }} as days
    inner join versions on {{ known_at('versions', 'days.cutoff_utc') }}
),

customers as (
    select distinct as_of_date, customer_id, national_id_token, phone_token, email_token
    from {{ ref('int_account_standing') }}
),

pairs as (
    {%- for record_key, customer_key in [
        ('named_customer_id', 'customer_id'),
        ('national_id_token', 'national_id_token'),
        ('phone_token', 'phone_token'),
        ('email_token', 'email_token'),
    ] %}
    {% if not loop.first %}union all{% endif %}
    select
        known.as_of_date,
        known.source,
        known.record_id,
        known.named_customer_id,
        customers.customer_id,
        {%- for token in ['national_id', 'phone', 'email'] %}
        case
            when known.{{ token }}_token = customers.{{ token }}_token then 1
            when known.{{ token }}_token is not null and customers.{{ token }}_token is not null
                then 0
        end as {{ token }}_agrees
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from known
    inner join customers
        on known.as_of_date = customers.as_of_date
        and known.{{ record_key }} = customers.{{ customer_key }}
    {%- endfor %}
),

evidence as (
    select
        as_of_date,
        source,
        record_id,
        customer_id,
        named_customer_id,
        max(national_id_agrees) as national_id_agrees,
        max(phone_agrees) as phone_agrees,
        max(email_agrees) as email_agrees,
        cast(coalesce(max(national_id_agrees), 1) = 0 as boolean) as is_contradicted,
        4 * coalesce(max(national_id_agrees), 0)
        + 2 * coalesce(max(phone_agrees), 0)
        + coalesce(max(email_agrees), 0) as strength
    from pairs
    group by as_of_date, source, record_id, customer_id, named_customer_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by as_of_date, source, record_id
            order by
                customer_id = named_customer_id desc nulls last,
                is_contradicted asc nulls last,
                strength desc nulls last,
                customer_id asc nulls last
        ) as preference,
        {%- for column in ['customer_id', 'is_contradicted', 'strength'] %}
        lead({{ column }}) over (
            partition by as_of_date, source, record_id
            order by
                customer_id = named_customer_id desc nulls last,
                is_contradicted asc nulls last,
                strength desc nulls last,
                customer_id asc nulls last
        ) as rival_{{ column }},
        {%- endfor %}
        count(*) over (partition by as_of_date, source, record_id) as candidates
    from evidence
),

chosen as (
    select
        *,
        cast(coalesce(customer_id = named_customer_id, true) as boolean) as is_subject,
        -- The rival is the strongest of the others.
        cast(
            is_contradicted
            or coalesce(
                not rival_is_contradicted
                and (rival_strength > strength or (rival_strength = strength and strength > 0)),
                false
            ) as boolean
        ) as is_conflict
    from ranked
    where preference = 1
)

select
    cast(as_of_date as date) as as_of_date,
    cast(source as string) as source,
    cast(record_id as string) as record_id,
    cast(
        coalesce(named_customer_id, case when not is_conflict then customer_id end) as string
    ) as customer_id,
    cast(named_customer_id is not null as boolean) as is_named_by_lender,
    {%- for token in ['national_id', 'phone', 'email'] %}
    cast(is_subject and {{ token }}_agrees = 1 as boolean) as {{ token }}_agrees,
    {%- endfor %}
    cast(candidates as int) as candidates,
    cast(
        case
            when not is_subject or (named_customer_id is null and is_conflict) then customer_id
            when is_conflict then rival_customer_id
        end as string
    ) as conflicting_customer_id,
    cast(is_conflict or not is_subject as boolean) as is_conflict
from chosen
