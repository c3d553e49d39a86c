#compdef qwen qwen-tui
# Completion of qwen for zsh.
_qwen_tui() {
    local -a given lines items unfinished
    local line value
    given=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
    lines=("${(@f)$(_QWEN_TUI_COMPLETE=zsh _QWEN_TUI_WORDS="${(pj:\x1f:)given}" ${(Q)words[1]} 2>/dev/null)}")
    for line in $lines; do
        if [[ $line == :files ]]; then
            _files
            return
        fi
        value=${${line%%$'\t'*}//:/\\:}
        if [[ $value == *= ]]; then
            # What follows NAME= is typed right behind it.
            unfinished+=("$value:${line#*$'\t'}")
        else
            items+=("$value:${line#*$'\t'}")
        fi
    done
    (( $#items )) && _describe qwen items
    (( $#unfinished )) && _describe qwen unfinished -S ''
}
if [[ $funcstack[1] == _qwen ]]; then
    # zsh has loaded this file from its fpath, as _qwen.
    _qwen_tui "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef _qwen_tui qwen qwen-tui
fi
