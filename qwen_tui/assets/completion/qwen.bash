# Completion of qwen for bash.
_qwen_tui() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(_QWEN_TUI_COMPLETE=bash _QWEN_TUI_WORDS="${COMP_LINE:0:COMP_POINT}" \
        _QWEN_TUI_BREAKS="$COMP_WORDBREAKS" "$1" 2>/dev/null)
    # What follows NAME= is typed right behind it. bash 3 has no compopt.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
# Where nothing is offered, bash offers files.
complete -o default -F _qwen_tui qwen qwen-tui
