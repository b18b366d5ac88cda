{#- What a Metro 2 account status says (field 17A; words after the CFPB's annotationLookups.ts). -#}
{% macro metro2_status_meaning(status) -%}
    case {{ status }}
        when '05' then 'transferred'
        when '11' then 'current'
        when '13' then 'paid or closed'
        when '61' then 'paid, was a voluntary surrender'
        when '62' then 'paid, was a collection account'
        when '63' then 'paid, was a repossession'
        when '64' then 'paid, was a charge-off'
        when '65' then 'paid, a foreclosure was started'
        when '71' then '30-59 days past due'
        when '78' then '60-89 days past due'
        when '80' then '90-119 days past due'
        when '82' then '120-149 days past due'
        when '83' then '150-179 days past due'
        when '84' then '180 or more days past due'
        when '88' then 'claim filed with government'
        when '89' then 'deed in lieu of foreclosure'
        when '93' then 'assigned to collections'
        when '94' then 'foreclosure completed'
        when '95' then 'voluntary surrender'
        when '96' then 'repossession'
        when '97' then 'charge-off'
        when 'DA' then 'delete'
        when 'DF' then 'delete, fraud'
    end
{%- endmacro %}

{#- Months past due, 0 to 6: by the status, or by the payment rating of a status that says nothing of
    it; null where neither does (collection, charge-off, …). -#}
{% macro metro2_months_late(status, rating) -%}
    case
        when {{ status }} = '11' then 0
        when {{ status }} = '71' then 1
        when {{ status }} = '78' then 2
        when {{ status }} = '80' then 3
        when {{ status }} = '82' then 4
        when {{ status }} = '83' then 5
        when {{ status }} = '84' then 6
        when {{ rating }} in ('0', '1', '2', '3', '4', '5', '6') then cast({{ rating }} as int)
    end
{%- endmacro %}

{#- What the asset classification of TUDF (TL tag 26) says. -#}
{% macro tudf_asset_class_meaning(code) -%}
    case {{ code }}
        when '01' then 'standard'
        when '02' then 'sub-standard'
        when '03' then 'doubtful'
        when '04' then 'loss'
        when '05' then 'special mention'
    end
{%- endmacro %}

{#- One month of a Metro 2 account as a character of a history string (field 18): what is lost says
    so even where a payment rating stands beside it; paid and closed is a zero balance. -#}
{% macro metro2_history_character(status, rating) -%}
    case
        when {{ status }} = '93' then 'G'
        when {{ status }} in ('89', '94') then 'H'
        when {{ status }} = '95' then 'J'
        when {{ status }} = '96' then 'K'
        when {{ status }} = '97' then 'L'
        when {{ status }} in ('13', '61', '62', '63', '64', '65') then 'E'
        else coalesce(cast({{ metro2_months_late(status, rating) }} as string), 'D')
    end
{%- endmacro %}

{#- One month of a TUDF account likewise: written off, else days past due in steps of 30 as in
    Metro 2, else the least that the asset classification means (sub-standard is past 90 days,
    doubtful and loss have been sub-standard for a year). -#}
{% macro tudf_history_character(written_off, days, asset_class) -%}
    case
        when {{ written_off }} > 0 then 'L'
        when {{ days }} is not null then cast(cast(least(6, floor(cast({{ days }} as double) / 30)) as int) as string)
        when {{ asset_class }} = '01' then '0'
        when {{ asset_class }} = '05' then '1'
        when {{ asset_class }} = '02' then '3'
        when {{ asset_class }} in ('03', '04') then '6'
        else 'D'
    end
{%- endmacro %}

{#- Account types of Metro 2 (field 9) as kinds of credit. -#}
{% macro metro2_product(account_type) -%}
    case
        when {{ account_type }} in ('00', '3A') then 'auto_loan'
        when {{ account_type }} in ('18', '0G', '2A') then 'credit_card'
        when {{ account_type }} in ('19', '25', '26', '2C', '5A', '5B') then 'home_loan'
        when {{ account_type }} in ('01', '20') then 'personal_loan'
        else 'other'
    end
{%- endmacro %}

{#- Account types of TUDF (TL tag 04) as kinds of credit. -#}
{% macro tudf_product(account_type) -%}
    case
        when {{ account_type }} in ('01', '32') then 'auto_loan'
        when {{ account_type }} = '13' then 'two_wheeler'
        when {{ account_type }} in ('10', '31', '35', '36') then 'credit_card'
        when {{ account_type }} = '02' then 'home_loan'
        when {{ account_type }} = '05' then 'personal_loan'
        else 'other'
    end
{%- endmacro %}

{#- Columns of a consumer in a Metro 2 file: of the base segment, and of the J1 and J2 segments. -#}
{% macro metro2_consumer_columns() -%}
    cast(surname_token as string) as surname_token,
    cast(first_name_token as string) as first_name_token,
    cast(middle_name_token as string) as middle_name_token,
    cast(generation_code as string) as generation_code,
    cast(ssn_token as string) as ssn_token,
    cast(date_of_birth_token as string) as date_of_birth_token,
    cast(phone_token as string) as phone_token,
    cast(ecoa_code as string) as ecoa_code,
    cast(consumer_information_indicator as string) as consumer_information_indicator,
    cast(country_code as string) as country_code,
    cast(address_line_1_token as string) as address_line_1_token,
    cast(address_line_2_token as string) as address_line_2_token,
    cast(city as string) as city,
    cast(state as string) as state,
    cast(zip_code as string) as zip_code,
    cast(address_indicator as string) as address_indicator,
    cast(residence_code as string) as residence_code
{%- endmacro %}
