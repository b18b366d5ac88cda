{#- What a developer's run reads and does not select. dbt would take it from the scratch as it finds
    it: absent in a new one, else the tables of an earlier day or of other SQL. So all of it is built
    before the run, each time. The platform builds everything in one run and needs none of this. -#}

{% macro build_unselected_upstream() -%}
    {%- if execute and target.name == 'developer' -%}
        {%- set upstream = [] -%}
        {%- for selected in selected_resources -%}
            {%- for parent in parents_of(selected) if parent not in selected_resources -%}
                {%- do add_behind_its_parents(parent, upstream) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for unique_id in upstream -%}
            {%- set name = graph.nodes[unique_id].name -%}
            {%- set told -%}
                {{ name }} could not be built. What is selected reads it, so it has to be built first; `dbt build -s {{ name }}` says what is wrong with it.
            {%- endset -%}
            {%- do try_or_compiler_error(told, build_into_scratch, graph.nodes[unique_id]) -%}
        {%- endfor -%}
        {%- if upstream -%}
            {%- set names = graph.nodes.values() | selectattr('unique_id', 'in', upstream) | map(attribute='name') | sort -%}
            {{ log('Built ' ~ names | length ~ ' that the selection reads: ' ~ names | join(', ') ~ '.', info=true) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- The models and seeds that a node reads, by id. A unit test stands not in dbt's `graph`; it reads
    what its model reads, and its id names the model: unit_test.<project>.<model>.<test>. -#}
{% macro parents_of(unique_id) -%}
    {%- set parts = unique_id.split('.') -%}
    {%- if parts[0] == 'unit_test' -%}
        {{ return(['model.' ~ parts[1] ~ '.' ~ parts[2]]) }}
    {%- endif -%}
    {%- set read = graph.nodes.get(unique_id, {}).get('depends_on', {}).get('nodes', []) -%}
    {{ return(read | select('in', graph.nodes) | list) }}
{%- endmacro %}

{#- What is selected itself is no exception: dbt builds it only after this. -#}
{% macro add_behind_its_parents(unique_id, ordered) -%}
    {%- if unique_id not in ordered -%}
        {%- for parent in parents_of(unique_id) -%}
            {%- do add_behind_its_parents(parent, ordered) -%}
        {%- endfor -%}
        {%- do ordered.append(unique_id) -%}
    {%- endif -%}
{%- endmacro %}

{% macro build_into_scratch(node) -%}
    {%- set before = adapter.get_relation(node.database, node.schema, node.alias) -%}
    {%- if before -%}
        {%- do adapter.drop_relation(before) -%}
    {%- endif -%}
    {%- set kind = 'view' if node.config.materialized == 'view' else 'table' -%}
    {%- set relation = api.Relation.create(node.database, node.schema, node.alias, type=kind) -%}
    {%- do adapter.create_schema(relation) -%}
    {%- if node.resource_type == 'seed' -%}
        {%- set columns = [] -%}
        {%- for column, type in node.config.column_types.items() -%}
            {%- do columns.append(column ~ ' ' ~ type) -%}
        {%- endfor -%}
        {%- do run_query('create table ' ~ relation ~ ' (' ~ columns | join(', ') ~ ')') -%}
        {%- do run_query('copy ' ~ relation ~ " from '" ~ adapter.get_seed_file_path(node) ~ "' (header)") -%}
    {%- else -%}
        {#- Otherwise dbt refuses `ref`: it did not find these in the hook when it parsed it. -#}
        {%- do ref.model.depends_on.nodes.extend(node.depends_on.nodes) -%}
        {%- do run_query('create ' ~ kind ~ ' ' ~ relation ~ ' as\n' ~ render(node.raw_code)) -%}
    {%- endif -%}
    {%- do adapter.cache_added(relation) -%}
{%- endmacro %}
