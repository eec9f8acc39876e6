package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// ownWords mends the script for bash. What bash has broken at = and : is put together again also
// where the package bash-completion is not there to do it, and what stands before such a break is
// cut from the completions also where they are quoted, as name\!=acme is.
const ownWords = `
__lxdfleet_handle_special_char()
{
    local word quoted i
    COMPREPLY=("${COMPREPLY[@]//\\,/,}")
    [[ $1 == *"$2"* && $COMP_WORDBREAKS == *"$2"* ]] || return 0
    word=${1%"${1##*"$2"}"}
    printf -v quoted %q "$word"
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$word"}
        COMPREPLY[i]=${COMPREPLY[i]#"$quoted"}
    done
}
if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
    __lxdfleet_init_completion()
    {
        local rest=$COMP_LINE token blank i
        COMPREPLY=() words=()
        for ((i = 0; i <= COMP_CWORD; i++)); do
            token=${COMP_WORDS[i]}
            blank=${rest%%[![:blank:]]*}
            if [[ -n $blank || ${#words[@]} -eq 0 ]]; then
                words+=("$token")
            else
                words[${#words[@]}-1]+=$token
            fi
            rest=${rest#"$blank"}
            rest=${rest#"$token"}
        done
        cword=$((${#words[@]} - 1))
        cur=${words[cword]} prev=${words[cword > 0 ? cword - 1 : 0]}
    }
fi
if ! declare -F _filedir >/dev/null 2>&1; then
    _filedir()
    {
        local IFS=$'\n' kind=-f
        [[ ${1-} == -d ]] && kind=-d
        COMPREPLY=($(compgen "$kind" -- "$cur"))
    }
fi
`

// completionCommand is cobra's, but for the script for bash, which needs no other package.
func completionCommand(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	bash, _, err := root.Find([]string{"completion", "bash"})
	if err != nil || bash.Name() != "bash" {
		panic("there is no completion for bash") // a mistake in this package that every run shows
	}
	bash.Long = "Write the script that completes commands, flags and the names of what there is, in bash.\n\n" +
		"For this shell:       source <(lxdfleet completion bash)\n" +
		"For every new one:    lxdfleet completion bash > /etc/bash_completion.d/lxdfleet, where the package\n" +
		"                      bash-completion is installed; else: lxdfleet completion bash >> ~/.bashrc"
	bash.RunE = func(c *cobra.Command, _ []string) error {
		plain, err := c.Flags().GetBool("no-descriptions")
		if err != nil {
			return err
		}
		out := c.OutOrStdout()
		if err := c.Root().GenBashCompletionV2(out, !plain); err != nil {
			return fmt.Errorf("write the script: %w", err)
		}
		_, err = io.WriteString(out, ownWords)
		return err
	}
}
